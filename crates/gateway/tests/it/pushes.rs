//! What is pushed in `push_matrix`: a name, how, and what has to come of it. `$B` is the session's branch, `$URL` the repository
//! through the gateway, `$BASE` the gateway.

use super::push_matrix::Expected::{self, Nothing, Refused, Taken};

pub(crate) const ONLY: Expected = Refused("this session may push only its branch");

/// By git, as a shell runs it in a clone with one commit to push, on the session's branch.
#[rustfmt::skip]
pub(crate) const BY_GIT: &[(&str, &str, Expected)] = &[
    // Allowed.
    ("its branch", "git push origin $B", Taken),
    ("by its full name", "git push origin HEAD:refs/heads/$B", Taken),
    ("to the address", "git push $URL $B", Taken),
    ("and followed from then on", "git push -u origin $B", Taken),
    ("whichever is checked out", "git -c push.default=current push origin", Taken),
    ("twice", "git push origin $B && git commit -q --allow-empty -m more && git push origin $B", Taken),
    ("nothing new", "git push origin $B && git push origin $B", Taken),
    ("--force, forwards", "git push origin $B && git commit -q --allow-empty -m more && git push --force origin $B", Taken),
    ("--atomic", "git push --atomic origin $B", Taken),
    ("--no-thin", "git push --no-thin origin $B", Taken),
    ("--all, the others as they were", "git push --all origin", Taken),
    ("all by a pattern, the others as they were", "git push origin 'refs/heads/*:refs/heads/*'", Taken),
    ("protocol 0", "git -c protocol.version=0 push origin $B", Taken),
    ("protocol 1", "git -c protocol.version=1 push origin $B", Taken),
    ("negotiated", "git -c push.negotiate=true push origin $B", Taken),
    ("no report as it goes", "git push --quiet origin $B", Taken),
    ("an empty commit", "git commit -q --allow-empty -m empty && git push origin $B", Taken),
    ("a merge", "git checkout -q -b side HEAD~1 && git commit -q --allow-empty -m side && git checkout -q $B && git merge -q -m merge side && git push origin $B", Taken),
    ("a history of its own", "git checkout -q --orphan fresh && git commit -q -m fresh && git push origin HEAD:refs/heads/$B", Taken),
    ("a shallow clone's work", "git clone -q --depth=1 -b main $URL ../shallow && cd ../shallow && git commit -q --allow-empty -m work && git push origin HEAD:refs/heads/$B", Taken),
    ("1 MB in chunks", "head -c 1000000 /dev/urandom >large && git add . && git commit -q -m large && git -c http.postBuffer=4096 push origin $B", Taken),
    ("1 MB in one piece", "head -c 1000000 /dev/urandom >large && git add . && git commit -q -m large && git -c http.postBuffer=100000000 push origin $B", Taken),
    ("100 MB in chunks", "head -c 100000000 /dev/urandom >large && git add . && git commit -q -m large && git push origin $B", Taken),
    ("a thousand files", "for n in $(seq 1000); do echo $n >$n; done; git add . && git commit -q -m many && git push origin $B", Taken),
    // Nothing to do.
    ("--dry-run", "git push --dry-run origin $B", Nothing),
    ("those that are on both sides", "git -c push.default=matching push origin", Nothing),
    // Another branch.
    ("the base", "git push origin HEAD:refs/heads/main", ONLY),
    ("the base, with force", "git push origin +HEAD:refs/heads/main", ONLY),
    ("the base, 100 MB", "head -c 100000000 /dev/urandom >large && git add . && git commit -q -m large && git push origin HEAD:main", ONLY),
    ("the base, in chunks", "head -c 1000000 /dev/urandom >large && git add . && git commit -q -m large && git -c http.postBuffer=4096 push origin HEAD:main", ONLY),
    ("a new branch", "git push origin HEAD:refs/heads/new", ONLY),
    ("another that is there", "git push origin HEAD:refs/heads/feature", ONLY),
    ("another session's", "git push origin HEAD:refs/heads/lamplight/other-01jb", ONLY),
    ("one below it", "git push origin HEAD:refs/heads/$B/below", ONLY),
    ("one above it", "git push origin HEAD:refs/heads/lamplight", ONLY),
    ("its name in capitals", "git push origin HEAD:refs/heads/$(echo $B | tr a-z A-Z)", ONLY),
    ("its name with one capital", "git push origin HEAD:refs/heads/Lamplight/fix-wrap-01ja", ONLY),
    ("its name after another's", "git push origin HEAD:refs/heads/x/$B", ONLY),
    ("by a way around", "git push origin HEAD:refs/heads/x/../main", Refused("fatal: invalid refspec")),
    ("a symbolic ref to the base", "git push origin HEAD:refs/heads/alias", ONLY),
    // Other refs.
    ("a tag", "git tag v9 && git push origin v9", ONLY),
    ("a tag that is there, moved", "git tag -f v1 && git push --force origin v1", ONLY),
    ("--tags", "git tag v9 && git push --tags origin", ONLY),
    ("--follow-tags", "git tag -a -m v9 v9 && git push --follow-tags origin $B", ONLY),
    ("notes", "git notes add -m note && git push origin refs/notes/commits", ONLY),
    ("the stash", "git push origin HEAD:refs/stash", ONLY),
    ("a replacement", "git push origin HEAD:refs/replace/0000000000000000000000000000000000000001", ONLY),
    ("a pull request's", "git push origin HEAD:refs/pull/1/head", ONLY),
    ("--mirror", "git push --mirror origin", ONLY),
    ("--prune", "git push --prune origin 'refs/heads/*'", ONLY),
    ("--all with the base moved", "git branch -f main && git push --all origin", ONLY),
    ("all by a pattern, elsewhere", "git push origin 'refs/heads/*:refs/heads/lamplight/*'", ONLY),
    ("its branch and a new one", "git push origin $B HEAD:refs/heads/new", ONLY),
    ("its branch and a tag", "git tag v9 && git push origin $B v9", ONLY),
    ("--atomic with a new one", "git push --atomic origin $B HEAD:refs/heads/new", ONLY),
    // Deletions.
    ("its branch deleted", "git push -q origin $B && git push origin --delete $B; git push origin :$B", Refused("cannot be deleted")),
    ("the base deleted", "git push origin --delete main", ONLY),
    ("another deleted", "git push origin :refs/heads/feature", ONLY),
    ("a tag deleted", "git push origin :refs/tags/v1", ONLY),
    ("a hidden one deleted", "git push origin --delete lamplight/other-01jb", Refused("remote ref does not exist")),
    // Backwards.
    ("another history", "git push -q origin $B && git commit -q --amend -m otherwise && git push origin $B", Refused("(non-fast-forward)")),
    ("another history, with force", "git push -q origin $B && git commit -q --amend -m otherwise && git push --force origin $B", Refused("(non-fast-forward)")),
    ("another history, with a lease", "git push -q origin $B && git commit -q --amend -m otherwise && git push --force-with-lease origin $B", Refused("(non-fast-forward)")),
    ("back by one, with force", "git push -q origin $B && git reset -q --hard HEAD~1 && git push --force origin $B", Refused("(non-fast-forward)")),
    // What is no commit.
    ("a file", "git push origin $(git hash-object work.txt):refs/heads/$B", Refused("")),
    ("a tree", "git push origin HEAD^{tree}:refs/heads/$B", Refused("")),
    ("a tag's object", "git tag -a -m v9 v9 && git push origin $(git rev-parse v9):refs/heads/$B", Refused("")),
    // Ways that are not offered.
    ("push options", "git push -o ci.skip origin $B", Refused("does not support push options")),
    ("signed", "printf '#!/bin/sh\ncat >/dev/null\necho \"[GNUPG:] SIG_CREATED \" >&2\necho -----BEGIN PGP SIGNATURE-----\n' >../sign && chmod +x ../sign && git -c gpg.program=$PWD/../sign push --signed=yes origin $B", Refused("403")),
    // Elsewhere.
    ("another repository", "git push $BASE/git/other.git $B", Refused("not found")),
    ("another by a way around", "git push $BASE/git/repository.git/../other.git $B", Refused("not found")),
    ("another by a hidden way around", "git push $BASE/git/repository.git%2f..%2fother.git $B", Refused("not found")),
    ("its directory", "git push $BASE/git/repository.git/.git $B", Refused("not found")),
    ("its name in capitals, as an address", "git push $BASE/git/Repository.git $B", Refused("not found")),
    ("its path on the host", "git push $BASE/git$HOST_PATH $B", Refused("not found")),
];

/// The same where the branch may be rewritten.
#[rustfmt::skip]
pub(crate) const WITH_REWRITING: &[(&str, &str, Expected)] = &[
    ("another history, with force", "git push -q origin $B && git commit -q --amend -m otherwise && git push --force origin $B", Taken),
    ("another history, with a lease", "git push -q origin $B && git commit -q --amend -m otherwise && git push --force-with-lease origin $B", Taken),
    ("back by one, with force", "git push -q origin $B && git reset -q --hard HEAD~1 && git push --force origin $B", Taken),
    ("another history, without force", "git push -q origin $B && git commit -q --amend -m otherwise && git push origin $B", Refused("(non-fast-forward)")),
    ("the base, with force", "git push --force origin HEAD:refs/heads/main", ONLY),
    ("its branch deleted", "git push -q origin $B && git push origin --delete $B", Refused("cannot be deleted")),
    ("--mirror", "git push --mirror origin", ONLY),
];
