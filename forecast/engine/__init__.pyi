from .blocks import Blocks as Blocks
from .blocks import Draws as Draws
from .evaluation import evaluate as evaluate
