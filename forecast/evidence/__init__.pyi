from .compilation import compile_evidence as compile_evidence
from .resolution_rules import met as met
from .resolution_rules import what_it_records as what_it_records
