"""What tests of several layers share: one way to start, to wait for and to ask each thing."""
