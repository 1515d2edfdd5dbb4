"""The pure core: values in, values out. No I/O, no clock (`now` is an argument), no logging, no randomness."""
