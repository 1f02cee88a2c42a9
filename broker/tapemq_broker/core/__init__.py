"""What a broker means, without how it talks or stores: commands in, effects out.

Everything here is pure: time and fresh ids are arguments, logs are named and never touched.
"""
