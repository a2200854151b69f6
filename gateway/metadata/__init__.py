"""What does a machine read beside the data? RO-Crate, Croissant and Frictionless descriptions of one allowed release.

Pure functions of what the recipient may know anyway: the released part of the dictionary, names, sizes and digests of
files, the policy's own words, the public settings and the claim. No row and no measurement is ever handed in (I-7), and
what nobody has stated, such as a licence or a creator, is left out.
"""

from gateway.metadata.description import DescribedFile, Description
from gateway.metadata.files import metadata_files

__all__ = ["DescribedFile", "Description", "metadata_files"]
