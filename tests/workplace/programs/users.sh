# SPDX-License-Identifier: GPL-2.0-or-later
# user: root
# Accounts, passwords, su and sudo.
useradd -m -s /bin/bash ann
useradd -m -G users ben
echo 'ann:secret' | chpasswd
id ann | sed 's/[0-9]\+//g'
getent shadow ann | cut -d: -f1
su ann -c 'id -un; echo ~; touch ~/file'; stat -c %U /home/ann/file
su - ben -c 'umask; pwd; cat /etc/shadow' 2>&1 | grep -o '^00.*\|/home/ben\|Permission denied'
echo 'ann ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ann; chmod 440 /etc/sudoers.d/ann
su ann -c 'sudo -n id -u; sudo -n -u ben id -un; sudo -nl | grep -c NOPASSWD' 2>&1 | grep -v 'unable to resolve'
su ben -c 'sudo -n true' 2>&1 | grep -o 'password is required'
cat > dialogue.py <<'PYTHON'
import os, pty, pwd, sys
def dialogue(user, argv, answers):
    """Runs argv as the user on a terminal, and answers each question for a password; what it said, and its status."""
    who = pwd.getpwnam(user)
    child, terminal = pty.fork()
    if child == 0:
        os.initgroups(user, who.pw_gid); os.setgid(who.pw_gid); os.setuid(who.pw_uid)
        os.execvp(argv[0], argv)
    text, answered = b"", 0
    while True:
        try:
            block = os.read(terminal, 1000)
        except OSError:
            break
        text += block
        if text.lower().count(b"assword:") > answered and answered < len(answers):
            os.write(terminal, answers[answered].encode() + b"\n"); answered += 1
    return text.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
text, status = dialogue("ben", ["su", "ann", "-c", "id -un"], ["secret"]); print("su:", status, "ann" in text.split())
text, status = dialogue("ben", ["su", "ann", "-c", "id -un"], ["wrong"]); print("su:", status, "Authentication failure" in text)
text, status = dialogue("ann", ["passwd"], ["secret", "n3w-Pass-word", "n3w-Pass-word"]); print("passwd:", status)
text, status = dialogue("ben", ["su", "ann", "-c", "id -un"], ["n3w-Pass-word"]); print("su:", status, "ann" in text.split())
PYTHON
python3 dialogue.py
groupadd team
usermod -aG team ben
gpasswd -d ben team >/dev/null
chage -l ann | head -1 | cut -d: -f1
chsh -s /bin/sh ben
getent passwd ben | cut -d: -f7
userdel -r ben 2>/dev/null
userdel -rf ann 2>/dev/null
groupdel team
getent passwd ann ben || echo gone
rm /etc/sudoers.d/ann
