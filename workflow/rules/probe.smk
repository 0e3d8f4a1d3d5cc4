# Media facts of every recording; what cannot be transcribed is rejected here, with a reason.
# OUTPUTS  probe.json


localrules:
    probe,


rule probe:
    input:
        # Changes when a file is added, changed or removed.
        LISTING_FILE,
    output:
        probe=f"{RESULTS}/probe.json",
    log:
        f"{RESULTS}/logs/probe.log",
    conda:
        "../../environment.yml"
    # On a cluster this runs on the login node, which is shared with others.
    threads: lambda wildcards: 2 if on_cluster() else workflow.cores
    resources:
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=RESULTS,
    params:
        recordings=json.dumps(SETTINGS["recordings"]),
        channels=SETTINGS["channels"],
        tracks=json.dumps(SETTINGS["tracks"]),
        # Decides between audio tracks that are equal otherwise.
        language=SETTINGS["language"],
        listing=LISTING,
    message:
        "Looking at the recordings."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/probe.py'
        " --recordings-json={params.recordings:q}"
        " --channels={params.channels:q}"
        " --tracks={params.tracks:q}"
        " --language={params.language:q}"
        " --processes={threads}"
        " --cache={resources.run_dir:q}/.state/probe.jsonl"
        " --output={output.probe:q}"
        " --log={log:q}"
