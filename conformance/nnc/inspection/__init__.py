"""Looking into NNC bitstreams: inspector, validator, features and claims (ISO/IEC 15938-17).

::

    from conformance.nnc.inspection.examination import examine
    from conformance.nnc.inspection.rules import validate

    data = Path("model.nnc").read_bytes()
    for violation in validate(data):
        print(violation)

:mod:`~conformance.nnc.inspection.examination` takes a file apart as far as it goes;
:mod:`~conformance.nnc.inspection.document` makes all that is known of it one JSON-able document,
which :mod:`~conformance.nnc.inspection.text` prints.
:mod:`~conformance.nnc.inspection.features` and :mod:`~conformance.nnc.inspection.claims` are what a
suite compares with what a sample declares, and :mod:`~conformance.nnc.inspection.rules` what the
validator goes by.
"""
