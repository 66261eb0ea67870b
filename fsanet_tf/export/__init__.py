"""Files for servers and phones: conversion, quantization, parity with Keras, latency."""
