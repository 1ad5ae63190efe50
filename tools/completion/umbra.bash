# SPDX-License-Identifier: GPL-2.0-or-later
# Completion for bash: source this, or put it into /usr/share/bash-completion/completions/umbra.
_umbra()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} i word
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W 'run do doctor version syscalls --help' -- "$cur"))
        return
    fi
    case $command in
    doctor) COMPREPLY=($(compgen -W '--json --help' -- "$cur")); return ;;
    run | do) ;;
    *) COMPREPLY=($(compgen -W '--help' -- "$cur")); return ;;
    esac
    local with_value=' --rootfs --backend --cpus --memory -e --env -w --workdir -u --user -v --volume --hostname --net -p --publish --log --strace-output --stats-output --pcap --fault-around --fault-path --without '
    # Behind the first word that is no option, the guest's command has the rest.
    for ((i = 2; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $with_value == *" $word "* ]]; then
            ((i++))
        elif [[ $word != -* || $word == -- ]]; then
            COMPREPLY=($(compgen -f -- "$cur"))
            return
        fi
    done
    case $prev in
    --backend) COMPREPLY=($(compgen -W 'auto seccomp ptrace' -- "$cur")); return ;;
    --net) COMPREPLY=($(compgen -W 'user none host switch: tap: passt:' -- "$cur")); return ;;
    --fault-path) COMPREPLY=($(compgen -W 'auto userfaultfd signal' -- "$cur")); return ;;
    --without) COMPREPLY=($(compgen -W 'image-faults patched-calls' -- "$cur")); return ;;
    --rootfs | --log | --strace-output | --stats-output | --pcap) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    -e | --env) COMPREPLY=($(compgen -v -- "$cur")); return ;;
    -v | --volume) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    esac
    [[ $with_value == *" $prev "* ]] && return
    if [[ $cur == -* ]]; then
        local words='--backend --cpus --memory --env --workdir --user --volume --hostname --net --publish --host-loopback --quiet --log --strace --strace-output --stats --stats-output --pcap --fault-around --fault-path --without --help'
        [[ $command == run ]] && words+=' --rootfs --rw --init'
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    else
        COMPREPLY=($(compgen -c -- "$cur"))
    fi
}
complete -o filenames -F _umbra umbra
