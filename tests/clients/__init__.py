"""Other people's clients against the gateway over real sockets; `make clients` installs them."""
