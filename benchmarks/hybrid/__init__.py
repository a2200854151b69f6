"""Does the hybrid without differential privacy look like the population, and stay away from the patients?"""
