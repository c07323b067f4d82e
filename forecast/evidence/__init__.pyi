from .compilation import compile_evidence as compile_evidence
from .rules import met as met
from .rules import what_it_records as what_it_records
