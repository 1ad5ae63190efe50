# SPDX-License-Identifier: GPL-2.0-or-later
# git: a repository of a thousand commits, its rebase, gc, and a clone over file:.
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git config --global user.name Ann; git config --global user.email ann@example.org
git config --global init.defaultBranch main
git config --global advice.detachedHead false
git config --global gc.auto 0
git init -q work; cd work
cp -r /usr/lib/python3.11/json /usr/lib/python3.11/email .
rm -r */__pycache__
git add .
git commit -qm 'start'
git rev-parse HEAD
git branch side
for n in $(seq 1000); do
    printf 'commit refs/heads/main\ncommitter Ann <ann@example.org> %d +0000\ndata 3\n%3d\n' $((1700000000 + n)) $((n % 1000))
    [ $n = 1 ] && echo 'from refs/heads/side^0'
    printf 'M 644 inline numbers/%d\ndata 5\n%5d\n' $((n % 50)) $n
done | git fast-import --quiet --force
git reset -q --hard main; git log --oneline | wc -l; git status --porcelain | wc -l
git checkout -q side; echo more >> json/tool.py; git commit -qam 'on the side'
git checkout -q main; git rebase -q side >/dev/null; git log --oneline | wc -l; git rev-parse HEAD
git count-objects | cut -d' ' -f1; git gc -q; git count-objects | cut -d' ' -f1; git fsck 2>&1 | tail -1
cd ..
git clone -q "file://$PWD/work" copy
cd copy
git log -1 --format=%H
git diff --stat HEAD~10 | tail -1
git blame -s numbers/1 | cut -d' ' -f2
echo x > new; git stash -qu; git stash pop -q; git status --porcelain; rm new
git bisect start HEAD HEAD~100 >/dev/null
git bisect run sh -c '[ $(cat numbers/10) -lt 960 ]' | grep -c 'is the first bad commit'
git bisect reset -q
git worktree add -q ../tree HEAD; ls ../tree | tr '\n' ' '; git grep -c 'def ' -- json | sort | head -3
