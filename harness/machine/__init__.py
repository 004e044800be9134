"""What this machine is: resources, devices, image, versions, and a training that tells CPUs apart."""
