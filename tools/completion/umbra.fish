# SPDX-License-Identifier: GPL-2.0-or-later
# Completion for fish: put this into ~/.config/fish/completions.
complete -c umbra -n __fish_use_subcommand -f -a run -d 'Boot a tree and run a command in it'
complete -c umbra -n __fish_use_subcommand -f -a do -d "Run a command on the host's own tree"
complete -c umbra -n __fish_use_subcommand -f -a doctor -d 'What this host offers'
complete -c umbra -n __fish_use_subcommand -f -a version -d 'Print the version'
complete -c umbra -n __fish_use_subcommand -f -a syscalls -d 'Print the table of system calls'
complete -c umbra -n '__fish_seen_subcommand_from doctor' -l json -d 'For programs'
complete -c umbra -n '__fish_seen_subcommand_from run' -l rootfs -r -d 'The tree: directory or archive'
complete -c umbra -n '__fish_seen_subcommand_from run' -l rw -d 'Write through to the directory'
complete -c umbra -n '__fish_seen_subcommand_from run' -l init -d "Run the tree's /sbin/init"
complete -c umbra -n '__fish_seen_subcommand_from run do' -l backend -x -a 'auto seccomp ptrace' -d 'How guest code runs'
complete -c umbra -n '__fish_seen_subcommand_from run do' -l cpus -x -d 'Virtual CPUs'
complete -c umbra -n '__fish_seen_subcommand_from run do' -l memory -x -d 'Most memory of the guest'
complete -c umbra -n '__fish_seen_subcommand_from run do' -s e -l env -x -d 'Set a variable'
complete -c umbra -n '__fish_seen_subcommand_from run do' -s w -l workdir -x -d 'Directory in the guest'
complete -c umbra -n '__fish_seen_subcommand_from run do' -s u -l user -x -d 'UID[:GID]'
complete -c umbra -n '__fish_seen_subcommand_from run do' -s v -l volume -r -d 'HOST:GUEST[:ro]'
complete -c umbra -n '__fish_seen_subcommand_from run do' -l hostname -x -d 'Name of the guest'
complete -c umbra -n '__fish_seen_subcommand_from run do' -s q -l quiet -d 'No kernel messages'
complete -c umbra -n '__fish_seen_subcommand_from run do' -l log -r -d 'File for the kernel log'
complete -c umbra -n '__fish_seen_subcommand_from run do' -l strace -d 'Print system calls'
complete -c umbra -n '__fish_seen_subcommand_from run do' -l strace-output -r -d 'File for the trace'
complete -c umbra -n '__fish_seen_subcommand_from run do' -l fault-around -x -d 'First block of a page fault'
