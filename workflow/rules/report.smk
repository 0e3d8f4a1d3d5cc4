# The end of a run: one row per recording, and what is missing.
# INPUTS   merged/<bundle>.json of all bundles
# OUTPUTS  summary.tsv, failed.tsv


localrules:
    report,
    outstanding,


rule report:
    input:
        merged=merged_bundles,
    output:
        summary=f"{RESULTS}/summary.tsv",
        failed=f"{RESULTS}/failed.tsv",
    params:
        settings=merge_settings(),
    log:
        f"{RESULTS}/logs/report.log",
    message:
        "Writing the summary."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/report.py"
        " --run-dir={RESULTS:q}"
        " --store={SETTINGS[store]:q}"
        " --settings={params.settings:q}"
        " --log={log:q}"


rule outstanding:
    # Exists so that a run with rejected recordings never counts as finished.
    input:
        f"{RESULTS}/summary.tsv",
    output:
        temp(touch(f"{RESULTS}/.state/outstanding")),
    message:
        "Some recordings were left out."
