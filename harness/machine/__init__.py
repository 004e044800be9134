"""This machine: resources, devices, image, versions, and a short training that identifies it."""
