"""What do our DP synthesizer and its published competitors reach on the same real tables?"""
