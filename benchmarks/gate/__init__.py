"""What does the gate catch, what does it refuse without cause, and what does it cost?"""
