from .compilation import compile_evidence as compile_evidence
from .rules import met as met
