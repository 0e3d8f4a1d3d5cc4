# Media facts of every recording; what cannot be transcribed is rejected here, with a reason.
# OUTPUTS  probe.json, rejected.tsv


localrules:
    probe,


rule probe:
    output:
        probe=f"{RESULTS}/probe.json",
        rejected=f"{RESULTS}/rejected.tsv",
    params:
        recordings=json.dumps(SETTINGS["recordings"]),
        channels=SETTINGS["channels"],
        # A new, changed or removed file is a reason to look again.
        listing=LISTING,
    threads: workflow.cores or 4
    log:
        f"{RESULTS}/logs/probe.log",
    message:
        "Looking at the recordings."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/probe.py"
        " --recordings-json={params.recordings:q}"
        " --channels={params.channels:q}"
        " --processes={threads}"
        " --cache={RESULTS:q}/.state/probe.jsonl"
        " --output={output.probe:q}"
        " --rejected={output.rejected:q}"
