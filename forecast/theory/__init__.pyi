from .modelfile import load_spec as load_spec
from .spec import ModelSpec as ModelSpec
from .statespace import StateSpace as StateSpace
from .statespace import chain_of as chain_of
from .wording import find_indicators as find_indicators
from .wording import suggested as suggested
from .wording import words_of as words_of
