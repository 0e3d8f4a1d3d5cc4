# Media facts of every recording; what cannot be transcribed is rejected here, with a reason.
# Of a listing with many new files jobs look at some thousand each; `probe` collects what they found.
# OUTPUTS  probe.json


localrules:
    probe,


rule probe_part:
    input:
        part=f"{RESULTS}/.state/probing/{{listing}}/{{number}}.list",
    output:
        found=temp(f"{RESULTS}/.state/probing/{{listing}}/{{number}}.jsonl"),
    log:
        f"{RESULTS}/logs/probe/{{listing}}-{{number}}.log",
    wildcard_constraints:
        listing=r"[0-9a-f]{12}",
        number=r"\d+",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        # 10 ms a file, as on a slow file system, are minutes. A file that hangs takes one more.
        runtime=lambda wildcards, attempt: 60 * attempt,
    message:
        "Looking at new recordings, part {wildcards.number}."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/probe.py'
        " --part={input.part:q}"
        " --processes=1"
        " --output={output.found:q}"
        " --log={log:q}"


rule probe:
    input:
        # Changes when a file is added, changed or removed.
        LISTING_FILE,
        parts_to_probe,
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
