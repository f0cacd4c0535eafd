-- Found not to be as it was written (matcher.shell.checkpoints): no recovery starts there, and it counts for nothing.
ALTER TABLE checkpoints ADD COLUMN damaged boolean NOT NULL DEFAULT false;
