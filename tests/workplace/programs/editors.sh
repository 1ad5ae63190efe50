# SPDX-License-Identifier: GPL-2.0-or-later
# vim, less, top and man on a terminal with two panes, as tmux shows it.
printf 'line %d\n' $(seq 100) > text
export SHELL=/bin/sh
mux() { tmux -L ours -f /dev/null "$@"; }
# Waits until pane $1 shows $2.
shows() { for _ in $(seq 600); do mux capture-pane -p -t "$1" | grep -qF -- "$2" && return; sleep 0.05; done; echo "pane $1 does not show '$2' but:"; mux capture-pane -p -t "$1"; exit 1; }
# Waits until $2 is what pane $1 runs.
runs() { for _ in $(seq 1500); do [ "$(mux display-message -p -t "$1" '#{pane_current_command}')" = "$2" ] && return; sleep 0.02; done; echo "pane $1 does not run '$2' but:"; mux capture-pane -p -t "$1"; exit 1; }
mux new-session -d -x 100 -y 30 'exec sh -i'
mux split-window -h 'exec sh -i'
mux send-keys -t 0 'stty size | tr " " x; tty | grep -c pts' Enter; shows 0 30x || shows 0 29x
mux list-panes | wc -l
mux send-keys -t 0 'vim -u NONE -N text' Enter; shows 0 'line 1'
mux send-keys -t 0 ':%s/line/row/' Enter 'Goadded' Escape ':wq' Enter
for _ in $(seq 200); do grep -q added text && break; sleep 0.05; done; tail -2 text; head -1 text
mux send-keys -t 1 'less text' Enter
shows 1 'row 1'
mux send-keys -t 1 G
shows 1 'added'
mux send-keys -t 1 '?row 50' Enter
shows 1 'row 50'
# What is typed before a program has given its terminal back is thrown away with the program's own input.
mux send-keys -t 1 q; runs 1 sh
mux send-keys -t 1 'top -d 100' Enter; shows 1 'Tasks:'; mux send-keys -t 1 q; runs 1 sh
mux send-keys -t 1 'clear; sleep 1000' Enter
runs 1 sleep
mux send-keys -t 1 C-c
mux send-keys -t 1 'echo "ended: $?"' Enter
shows 1 'ended: 130'
mux send-keys -t 1 'clear; cat' Enter; runs 1 cat; mux send-keys -t 1 'typed' Enter C-d; runs 1 sh
mux send-keys -t 1 'sleep 1000' Enter; runs 1 sleep; mux send-keys -t 1 C-z; shows 1 'Stopped'
mux resize-pane -t 0 -x 30; mux send-keys -t 0 'clear; stty size' Enter; shows 0 ' 30'
mux kill-server; echo left
vim -u NONE -es -c 'normal ggdG' -c 'put =range(3)' -c 'wq' text; cat text
