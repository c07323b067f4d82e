from .blocks import Blocks as Blocks
from .blocks import Draws as Draws
from .filtering import evaluate as evaluate
