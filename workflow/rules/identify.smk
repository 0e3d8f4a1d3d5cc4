# Identifies the language of recordings whose model depends on it, unless it is given.
# INPUTS   probe.json, a staged multilingual model
# OUTPUTS  languages.json

from audiogrid.core.json_values import to_json


rule identify:
    input:
        probe=f"{RESULTS}/probe.json",
        model=ancient(staged(IDENTIFYING_MODEL)),
    output:
        languages=f"{RESULTS}/languages.json",
    log:
        f"{RESULTS}/logs/identify.log",
    conda:
        "../../environment.yml"
    # Every answer is stored at once, so a retry continues.
    threads: lambda wildcards: 4 if on_cluster() else workflow.cores
    resources:
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=RESULTS,
        model_dir=model_dir(IDENTIFYING_MODEL),
        mem_mb=lambda wildcards, threads, attempt: job_resources.transcribe_memory_mb(
            Path(model_dir(IDENTIFYING_MODEL)), threads, attempt
        ),
        runtime=lambda wildcards, attempt: 120 * attempt if on_cluster() else 0,
    params:
        routes=json.dumps(to_json(RUN.routes), sort_keys=True),
        all="yes" if SETTINGS["identify"]["always"] else "no",
        windows=SETTINGS["identify"]["windows"],
        multilingual_share=SETTINGS["identify"]["multilingual_share"],
        encoder=SETTINGS["decoding"]["encoder"],
    message:
        "Listening for languages."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/identify.py'
        " --probe={input.probe:q}"
        " --model-dir={resources.model_dir:q}"
        " --routes={params.routes:q}"
        " --all={params.all}"
        " --windows={params.windows}"
        " --multilingual-share={params.multilingual_share}"
        " --encoder={params.encoder}"
        " --cores={threads}"
        " --cache={resources.run_dir:q}/.state/languages.jsonl"
        " --output={output.languages:q}"
        " --log={log:q}"
