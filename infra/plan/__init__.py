"""What the venue costs, and how large its parts are, at any rate of requests: from list prices, not from wishes."""
