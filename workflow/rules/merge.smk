# Per bundle: exactly-once stitching, every wanted format.
# INPUTS   shards/<shard>.json of the shards that hold its chunks, voices/<shard>.json where speakers are asked for,
#          linked.json where voices are linked, aligned/<shard>.json and the texts where texts are given; results come from the store; corrections/<recording>.<hash>.json where
#          a person has changed something
# OUTPUTS  merged/<bundle>.json; transcripts/<recording>.<format> (listed there, with hashes)


localrules:
    merge,


rule merge:
    input:
        reports=reports_of_bundle,
        voices=voices_of_bundle,
        texts=texts_of_bundle,
        corrections=corrections_of_bundle,
        # Ids of voices stay when recordings are added: what was merged before is not merged again.
        linked=ancient(links_of_bundle),
    output:
        merged=f"{RESULTS}{{part}}/merged/{{bundle}}.json",
    log:
        f"{RESULTS}{{part}}/logs/merge/{{bundle}}.log",
    priority: 20
    conda:
        "../../environment.yml"
    resources:
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=lambda wildcards: str(folder_of(wildcards).root),
        store=SETTINGS["store"],
        corrections=corrections_folder,
    params:
        settings=merge_settings_of,
        generation=lambda wildcards: merge_generation(folder_of(wildcards), wildcards.bundle),
    message:
        "Merging bundle {wildcards.bundle}{wildcards.part}."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/merge.py'
        " --run-dir={resources.run_dir:q}"
        " --bundle={wildcards.bundle}"
        " --store={resources.store:q}"
        " --settings={params.settings:q}"
        " --corrections={resources.corrections:q}"
        " --generation={params.generation}"
        " --output={output.merged:q}"
        " --log={log:q}"
