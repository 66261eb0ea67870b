"""Files for servers and phones: written, quantised, looked into, timed."""
