//go:build linux

package main

// The lists that the cases give files: all for the owner and user 1000, reading
// for the group, nothing for others; and another.
const (
	someList  = "\x02\x00\x00\x00" + "\x01\x00\x07\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\xe8\x03\x00\x00" + "\x04\x00\x05\x00\xff\xff\xff\xff" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
	otherList = "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x06\x00\xe9\x03\x00\x00" + "\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x06\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff"
)

// Trees that several cases begin with.
const (
	modesTree = `mkdir from
		for mode in 0000 0200 0444 0640 0666 0711 0777 1777 2755 4755 7777; do
			echo $mode >from/f$mode; chmod $mode from/f$mode
			mkdir from/d$mode; echo in >from/d$mode/f; chmod $mode from/d$mode
		done
		chmod 1777 from`
	ownersTree = `mkdir -p from/d; echo a >from/a; echo b >from/d/b; ln -s a from/l; mkfifo from/p
		chmod 4755 from/a; chmod 6710 from/d; chmod 2750 from/d/b
		chown 1000:1001 from/a; chown 1002:1003 from/d from/d/b; chown -h 1004:1005 from/l from/p; chown 1006:1007 from`
	nodesTree = `mkdir from; mkfifo -m 0666 from/p; mknod from/c c 1 3; chmod 4640 from/c; mknod -m 0660 from/b b 7 99
		python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("from/s")'; chmod 0777 from/s; chown 1000:1001 from/s from/p`
	linksTree = `mkdir -p from/d; echo a >from/a; ln -s a from/l; ln -s nowhere from/dangling; ln -s d from/to-d; ln -s ../a from/d/up; ln -s l from/ll; ln -s /etc/hostname from/abs; ln -s loop from/loop`
)

// permissionCases are run under several umasks.
var permissionCases = []gnuCase{
	// Permissions.
	{name: "modes of files", setup: modesTree, run: `for f in from/f*; do cp $f new-${f#from/}; done`},
	{name: "modes of files, -p", setup: modesTree, run: `for f in from/f*; do cp -p $f new-${f#from/}; done`},
	{name: "modes in a tree", setup: modesTree, run: `cp -r from to`},
	{name: "modes in a tree, -p", setup: modesTree, run: `cp -r -p from to`},
	{name: "modes over a tree", setup: modesTree + `; command cp -r from to; chmod -R 0705 to; chmod 4711 to/f*`, run: `cp -r from/. to`},
	{name: "modes over a tree, -p", setup: modesTree + `; command cp -r from to; chmod -R 0705 to`, run: `cp -r -p from/. to`},
	{name: "mode over a setuid file, -p", setup: `echo a >a; echo b >b; chmod 6777 b`, run: `cp -p a b`,
		differs: "GNU cp leaves special bits that FROM has not, against its manual", ours: `[ "$(stat -c %a b)" = 644 ]`},
	{name: "sticky folder", setup: `mkdir from; chmod 1777 from; echo a >from/a`, run: `cp -r from to`},
	{name: "setgid folder inherits", setup: `mkdir from to; echo a >from/a; mkdir from/d; chown 0:1000 to; chmod 2775 to`, run: `cp -r from to; cp from/a to`},
	{name: "setgid folder inherits, -p", setup: `mkdir from to; echo a >from/a; mkdir from/d; chown 0:1000 to; chmod 2775 to`, run: `cp -r -p from to`,
		differs: "GNU cp leaves special bits that FROM has not, against its manual", ours: `[ "$(stat -c %a to/from)" = 755 ]`},
	{name: "modes, as another user", setup: modesTree + `; chmod 0777 .`, run: `as_nobody -r from to`},
	{name: "modes, as another user, -p", setup: modesTree + `; chmod 0777 .`, run: `as_nobody -r -p from to`},
	{name: "umask that hides from the owner", setup: modesTree + `; chmod 0777 .; chown -R 65534:65534 from; chmod -R u+rwX from`, run: `umask 0777; as_nobody -r from to`},
	{name: "umask that hides from the owner, -p", setup: modesTree + `; chmod 0777 .; chown -R 65534:65534 from; chmod -R u+rwX from`, run: `umask 0577; as_nobody -r -p from to`},

	// Owners and times.
	{name: "owners", setup: ownersTree, run: `cp -r from to`},
	{name: "owners, -p", setup: ownersTree, run: `cp -r -p from to`},
	{name: "owners over others, -p", setup: ownersTree + `; command cp -r from to; chown -hR 2000:2001 to; chmod -R 0777 to`, run: `cp -r -p from/. to`},
	{name: "owners over others", setup: ownersTree + `; command cp -r from to; chown -R 2000:2001 to; chmod -R 6777 to`, run: `cp -r from/. to`},
	{name: "owners, as another user, -p", setup: ownersTree + `; chmod 0777 . from from/d; chmod 4755 from/a; chmod 2755 from/d/b`, run: `as_nobody -r -p from to`},
	{name: "own setuid, as another user, -p", setup: `chmod 0777 .; echo a >a; chown 65534:65534 a; chmod 6755 a`, run: `as_nobody -p a b`},
	{name: "times, -p", setup: `mkdir -p from/d/e; echo a >from/d/a; echo b >b`, run: `cp -r -p from to; cp -p b c`},

	// Access control lists and other attributes.
	{name: "lists, -p", setup: `mkdir -p from/d; echo a >from/a; mkfifo from/p`, run: `cp -r -p from to; cp -r from without`, attrs: []attr{
		{"from/a", accessList, someList}, {"from/d", accessList, someList}, {"from/d", defaultList, otherList}, {"from/p", accessList, otherList}}},
	{name: "lists over lists, -p", setup: `echo a >a; echo b >b; echo c >c; mkdir from to; echo f >from/f`, run: `cp -p a b; cp -p c a; cp -p -r from/. to`, attrs: []attr{
		{"a", accessList, someList}, {"b", accessList, otherList}, {"to", defaultList, otherList}, {"to", accessList, otherList}}},
	{name: "lists stay without -p", setup: `echo a >a; echo b >b`, run: `cp a b; cp b c`, attrs: []attr{
		{"a", accessList, someList}, {"b", accessList, otherList}}},
	{name: "into a folder with a default list", setup: modesTree + `; mkdir to`, run: `cp -r from to; cp from/f0666 to; cp -p from/f0644 to`, attrs: []attr{{"to", defaultList, someList}}},
	{name: "into a folder with a default list, -p", setup: modesTree + `; mkdir to`, run: `cp -r -p from to`, attrs: []attr{{"to", defaultList, someList}}},
	{name: "user's attributes", setup: `mkdir from; echo a >from/a`, run: `cp -r -p from to; cp -r from without`, attrs: []attr{
		{"from", "user.x", "words"}, {"from/a", "user.y", "words"}}},
	{name: "user's attributes of what is there", setup: `echo a >a; echo b >b`, run: `cp -p a b`, attrs: []attr{{"b", "user.x", "words"}}},
}

var otherCases = []gnuCase{
	// Hard links and holes.
	{name: "hard links in a tree", setup: `mkdir from; echo a >from/a; ln from/a from/b`, run: `cp -r from to; cp -r -p from too`},
	{name: "hard links to what is there", setup: `echo new >new; echo old >a; ln a b`, run: `cp new a`},
	{name: "hard links to what is there, -p", setup: `echo new >new; echo old >a; ln a b`, run: `cp -p new a`},
	{name: "holes", setup: `mkdir from; truncate -s 3M from/all; for at in 0 1 100 255; do truncate -s 2M from/at$at; head -c 4096 /dev/urandom | md5sum >/dev/null; printf words | dd of=from/at$at bs=4096 seek=$at conv=notrunc status=none; done; truncate -s 100K from/small; echo x >>from/small; truncate -s 4097 from/tiny; sync -f .`, run: `cp -r from to; cp from/at100 to/all`},

	// Contents.
	{name: "sizes", setup: `mkdir from; for n in 0 1 4095 4096 262143 262144 262145 1000000 4194304; do yes words | head -c $n >from/$n || true; done`, run: `cp -r from to; cp from/1 to/4194304; cp from/4194304 to/0`},
	{name: "what says it is empty", setup: `true`, run: `cp /proc/version a; cp /proc/filesystems b; cp -r /proc/version c; cp -p /proc/version /proc/filesystems .; touch -d now version filesystems`},
	{name: "what says it is a page", setup: `echo old >b`, run: `cp /sys/devices/system/cpu/online a; cp /sys/devices/system/cpu/online b`},
	{name: "many files", setup: `mkdir -p from/d; for i in $(seq 100); do echo $i >from/$i; echo $i >from/d/$i; done`, run: `cp -r from to; cp -r from/. to; cp -r -p from too`},

	// What is no file.
	{name: "nodes in a tree", setup: nodesTree, run: `cp -r from to`, needs: "mknod"},
	{name: "nodes in a tree, -p", setup: nodesTree, run: `cp -r -p from to`, needs: "mknod"},
	{name: "nodes over nodes", setup: nodesTree + `; mkdir to; echo a >to/p; mkfifo to/c; ln -s p to/b; ln -s nowhere to/s`, run: `cp -r from/. to`, needs: "mknod"},
	{name: "nodes over nodes, -n", setup: nodesTree + `; mkdir to; echo a >to/p; mkfifo to/c; ln -s p to/b; ln -s nowhere to/s`, run: `cp -r -n from/. to`, needs: "mknod"},
	{name: "node over a folder", setup: `mkfifo p; mkdir -p to/p`, run: `cp -r p to`},
	{name: "pipe is read without -r", setup: `mkfifo p`, run: `(timeout 20 sh -c 'echo words >p') & cp p a; wait`},
	{name: "pipe is made with -r", setup: `mkfifo p`, run: `cp -r p a`},
	{name: "device is read without -r", setup: `true`, run: `cp /dev/null a`},
	{name: "standard input", setup: `echo words >a`, run: `cp /dev/stdin b <a; echo more | cp /dev/stdin c; cp -p /dev/stdin d <a`},
	{name: "socket is not read", setup: nodesTree, run: `cp from/s a`, needs: "mknod"},
	{name: "to a pipe", setup: `mkfifo p; echo words >a`, run: `(timeout 20 cat p >b) & cp a p; wait`},
	{name: "much to a pipe", setup: `yes words | head -c 3M >a || true; truncate -s 3M holes`, run: `cp a /dev/stdout | md5sum; cp holes /dev/stdout | md5sum; cat a | cp /dev/stdin /dev/stdout | md5sum; cat holes >/dev/null`},
	{name: "to a device", setup: `echo words >a`, run: `cp a /dev/null; cp a /dev/full`},
	{name: "to the redirected output", setup: `echo words >a`, run: `{ echo a long first line; cp a /dev/stdout; echo last; } >b; { cp a /dev/stdout; echo last; } >>c`},
	{name: "to the output, a pipe", setup: `echo words >a`, run: `{ echo first; cp a /dev/stdout; echo last; } | cat`},
	{name: "to a descriptor", setup: `echo words >a; echo old >b`, run: `cp a /dev/fd/7 7>>b; cp a /proc/self/fd/7 7>c`},
	{name: "to a device, -p", setup: `echo words >a; chown 1000 a; mknod -m 0666 null c 1 3`, run: `cp -p a null`, needs: "mknod",
		differs: "GNU cp makes /dev/null the file's owner's when somebody wants to get rid of it with -p", ours: `[ "$(stat -c %a:%u null)" = 666:0 ]`},

	// Symbolic links.
	{name: "link named", setup: linksTree, run: `cp from/l a; cp from/ll b; cp -p from/l c`},
	{name: "link named, -r", setup: linksTree, run: `cp -r from/l a; cp -r from/dangling b; cp -r from/loop c; cp -r -p from/to-d d`},
	{name: "link named that leads nowhere", setup: linksTree, run: `cp from/dangling a`},
	{name: "link named that leads round", setup: linksTree, run: `cp from/loop a`},
	{name: "link named that leads to a folder", setup: linksTree, run: `cp from/to-d a`},
	{name: "link named with a slash, -r", setup: linksTree, run: `cp -r from/to-d/ a`},
	{name: "links in a tree", setup: linksTree, run: `cp -r from to`},
	{name: "links in a tree, -p", setup: linksTree, run: `cp -r -p from to`},
	{name: "links over links", setup: linksTree + `; command cp -r from to; ln -sfn other to/l; ln -sfn d to/dangling`, run: `cp -r from/. to`},
	{name: "links over files", setup: linksTree + `; command cp -r from to; rm to/l to/ll; echo b >to/l; ln to/a to/ll`, run: `cp -r from/. to`},
	{name: "links over files, -n", setup: linksTree + `; command cp -r from to; rm to/l; echo b >to/l`, run: `cp -r -n from/. to`},
	{name: "link over a folder", setup: `ln -s x l; mkdir -p to/l`, run: `cp -r l to`},
	{name: "link over what it leads to", setup: `echo a >a; ln -s a l`, run: `cp -r l a`},
	{name: "link over another that leads to the same", setup: `echo a >a; ln -s a l; ln -s ./a m`, run: `cp -r l m`},
	{name: "link over itself", setup: `echo a >a; ln -s a l`, run: `cp -r l l`},
	{name: "link over its other name", setup: `ln -s a l; ln l m`, run: `cp -r l m`},

	// What is there.
	{name: "over a file", setup: `echo new >a; echo longer old >b; chmod 4640 b; chown 1000:1001 b`, run: `cp a b`},
	{name: "over a file, -p", setup: `echo new >a; chmod 2751 a; chown 1002:1003 a; echo old >b; chmod 4666 b; chown 1000:1001 b`, run: `cp -p a b`},
	{name: "over a file, as another user", setup: `chmod 0755 .; echo new >a; echo old >b; chmod 0666 b`, run: `as_nobody a b`},
	{name: "over a file, as another user, -p", setup: `chmod 0755 .; echo new >a; echo old >b; chmod 0666 b`, run: `as_nobody -p a b`},
	{name: "over a file that is read only", setup: `chmod 0777 .; echo new >a; echo old >b; chmod 0444 b; echo old >c; chown 65534 c; chmod 0444 c`, run: `as_nobody a c; as_nobody a b`},
	{name: "over a file that is read only, -f", setup: `chmod 0777 .; echo new >a; echo old >b; chmod 0444 b; ln b hard; echo old >c; ln -s c l; chmod 0444 c`, run: `as_nobody -f a b; as_nobody -f a l`},
	{name: "over a file that is read only, -f -n", setup: `chmod 0777 .; echo new >a; echo old >b; chmod 0444 b`, run: `as_nobody -f -n a b; as_nobody -n -f a b`},
	{name: "over a file, -f", setup: `echo new >a; echo old >b; ln b c`, run: `cp -f a b`},
	{name: "over a file, -n", setup: `echo new >a; echo old >b; mkdir d; ln -s b l`, run: `cp -n a b; cp -n a l; cp -n a a; cp -n a d; cp -n a d`},
	{name: "over a folder", setup: `echo a >a; mkdir -p to/a`, run: `cp a to`},
	{name: "over a folder, -n", setup: `echo a >a; mkdir -p to/a`, run: `cp -n a to`},
	{name: "over a folder, -f", setup: `echo a >a; mkdir -p to/a`, run: `cp -f a to`},
	{name: "folder over a file", setup: `mkdir -p a/b to; echo a >to/a`, run: `cp -r a to`},
	{name: "folder over a file, -n", setup: `mkdir -p a/b to; echo a >to/a`, run: `cp -r -n a to`},
	{name: "folder over a link to a folder", setup: `mkdir -p a/b to d; ln -s ../d to/a`, run: `cp -r a to`},
	{name: "folder over a dangling link", setup: `mkdir -p a/b; ln -s nowhere to`, run: `cp -r a to`},
	{name: "folder into a link to a folder", setup: `mkdir -p a/b d; ln -s d to`, run: `cp -r a to; cp -r a to/; cp -r a/. to`},
	{name: "over a link", setup: `echo new >a; echo old >b; ln -s b l; chmod 0640 b`, run: `cp a l`},
	{name: "over a link in a tree", setup: `mkdir from to; echo new >from/a; echo old >b; ln -s ../b to/a`, run: `cp -r from/. to`},
	{name: "over a dangling link", setup: `echo new >a; ln -s nowhere l`, run: `cp a l`},
	{name: "over a dangling link, -f", setup: `echo new >a; ln -s nowhere l`, run: `cp -f a l`},
	{name: "over a dangling link, -n", setup: `echo new >a; ln -s nowhere l`, run: `cp -n a l`},
	{name: "over a link that leads round", setup: `echo new >a; ln -s l l`, run: `cp a l`},
	{name: "over a link that leads round, -f", setup: `echo new >a; ln -s l l`, run: `cp -f a l`},
	{name: "over a program that runs", setup: `echo new >a; command cp /bin/sleep b`, run: `./b 60 & until [ $(readlink /proc/$!/exe) = $PWD/b ]; do sleep 0.01; done; cp a b && code=0 || code=$?; kill $!; exit $code`},
	{name: "over a program that runs, -f", setup: `echo new >a; command cp /bin/sleep b`, run: `./b 60 & until [ $(readlink /proc/$!/exe) = $PWD/b ]; do sleep 0.01; done; cp -f a b && code=0 || code=$?; kill $!; exit $code`},

	// The same file.
	{name: "same file", setup: `echo a >a`, run: `cp a a`},
	{name: "same file by another path", setup: `echo a >a; mkdir d`, run: `cp a d/../a`},
	{name: "same file by a hard link", setup: `echo a >a; ln a b`, run: `cp a b`},
	{name: "same file by a hard link, -f", setup: `echo a >a; ln a b`, run: `cp -f a b`},
	{name: "same file by a link", setup: `echo a >a; ln -s a b`, run: `cp a b`},
	{name: "same file by a link, -r", setup: `echo a >a; ln -s a b`, run: `cp -r a b`},
	{name: "same file from a link", setup: `echo a >a; ln -s a b`, run: `cp b a`},
	{name: "same file from two links", setup: `echo a >a; ln -s a b; ln -s a c`, run: `cp b c`},
	{name: "same file in a folder", setup: `echo a >a`, run: `cp a .`},
	{name: "same file, -n", setup: `echo a >a`, run: `cp -n a a`},
	{name: "same file, the output", setup: `echo a >a`, run: `cp a /dev/stdout >>a`},
	{name: "same tree", setup: `mkdir d; echo a >d/a`, run: `cp -r d .`},

	// Folders and names.
	{name: "folder without -r", setup: `mkdir d`, run: `cp d e`},
	{name: "folder to a new name and into one", setup: `mkdir -p d/e; echo a >d/a`, run: `cp -r d new; cp -r d new; cp -r d/ slash; cp -r d/ slash; cp -r d newer/`},
	{name: "contents of a folder", setup: `mkdir -p d/e to; echo a >d/a; echo b >d/.b`, run: `cp -r d/. to; cp -r d/. new; cd d; cp -r . ../too; cp -r . ../to`},
	{name: "folder above", setup: `mkdir -p d/e to; echo a >d/a`, run: `cd d/e; cp -r .. ../../to`},
	{name: "path through a link", setup: `mkdir -p d/e x; echo a >a; echo b >d/b; ln -s d/e l; mkdir d/to`, run: `cp l/../b c; cp a l/../n; cp a l/../to; cp -r l/../to x; cp a l/../b`},
	{name: "slash behind a new file", setup: `echo a >a`, run: `cp a new/`},
	{name: "slash behind a file", setup: `echo a >a; echo b >b`, run: `cp a b/`},
	{name: "slash behind what is copied", setup: `echo a >a`, run: `cp a/ b`},
	{name: "slash behind a folder", setup: `echo a >a; mkdir d`, run: `cp a d/; cp a d//; cp a ./d/.`},
	{name: "folder to a path that is not there", setup: `mkdir d`, run: `cp -r d x/y`},
	{name: "file to a path that is not there", setup: `echo a >a`, run: `cp a x/y`},
	{name: "file below a file", setup: `echo a >a; echo b >b`, run: `cp a b/c`},
	{name: "what is not there", setup: `echo b >b; mkdir d`, run: `cp gone b d`},
	{name: "long name", setup: `echo a >a`, run: `cp a $(printf %255s | tr ' ' x); cp a $(printf %256s | tr ' ' x)`},
	{name: "strange names", setup: `mkdir from; echo a >$'from/a\nb'; echo b >from/-r; echo c >'from/ c '; echo d >$'from/\xff'; mkdir from/...`, run: `cp -r from to`},
	{name: "deep", setup: `p=from; for i in $(seq 200); do p=$p/d; done; mkdir -p $p; echo a >$p/a`, run: `cp -r from to`},

	// Several.
	{name: "several", setup: `echo a >a; echo b >b; mkdir d to`, run: `cp a b to; cp -r a b d to`},
	{name: "several, a folder without -r", setup: `echo a >a; echo b >b; mkdir d to`, run: `cp a d b to`},
	{name: "several to what is not there", setup: `echo a >a; echo b >b`, run: `cp a b to`},
	{name: "several to a file", setup: `echo a >a; echo b >b; echo c >c`, run: `cp a b c`},
	{name: "several, one twice", setup: `echo a >a; mkdir to d`, run: `cp a a to; cp -r d d to`},
	{name: "several of one name", setup: `mkdir x y to; echo x >x/a; echo y >y/a`, run: `cp x/a y/a to`},
	{name: "several of one name, -n", setup: `mkdir x y to; echo x >x/a; echo y >y/a`, run: `cp -n x/a y/a to`},
	{name: "several folders of one name", setup: `mkdir -p x/d y/d to; echo x >x/d/a; echo y >y/d/a; echo y >y/d/b`, run: `cp -r x/d y/d to`},
	{name: "several, file and folder of one name", setup: `mkdir -p x y/a to; echo x >x/a`, run: `cp -r x/a y/a to`},
	{name: "several, folder and file of one name", setup: `mkdir -p x y/a to; echo x >x/a`, run: `cp -r y/a x/a to`},

	// What cannot be read or written.
	{name: "not readable", setup: `chmod 0777 .; echo a >a; chmod 0 a; echo b >b; mkdir to; chmod 0777 to`, run: `as_nobody a b to`},
	{name: "not readable, over a file", setup: `chmod 0777 .; echo a >a; chmod 0 a; echo b >b; chmod 0666 b`, run: `as_nobody a b`},
	{name: "not readable in a tree", setup: `chmod 0777 .; mkdir -p from/d from/e; echo a >from/d/a; echo b >from/b; chmod 0 from/d from/b; chmod 0444 from/e; echo c >from/c`, run: `as_nobody -r from to`},
	{name: "not readable in a tree, -p", setup: `chmod 0777 .; mkdir -p from/d from/e; echo a >from/d/a; echo b >from/b; chmod 0 from/d from/b; chmod 0444 from/e; echo c >from/c`, run: `as_nobody -r -p from to`},
	{name: "folder not writable", setup: `chmod 0755 .; echo a >a; mkdir to; echo old >to/b; chmod 0666 to/b`, run: `as_nobody a to/b; as_nobody a to`},
	{name: "folder not writable, -f", setup: `chmod 0755 .; echo a >a; mkdir to; echo old >to/b; chmod 0644 to/b`, run: `as_nobody -f a to/b`},
	{name: "read-only disk", needs: "mount", setup: `mkdir m; mount -t tmpfs x m; echo b >m/b; mount -o remount,ro m; echo a >a; mkdir d`, run: `cp a m || cp a m/b || cp -f a m/b || cp -r d m`},
	{name: "full disk, new file", needs: "mount", setup: `mkdir m; mount -t tmpfs -o size=1m x m; head -c 2M /dev/zero >a; head -c 1M /dev/zero >m/filler || true`, run: `cp a m/b`,
		differs: "a new copy has its name only when it is whole", ours: `[ "$(ls -A m)" = filler ]`},
	{name: "full disk, new folder", needs: "mount", setup: `mkdir m d; mount -t tmpfs -o size=1m x m; head -c 200K /dev/zero >d/a; head -c 900K /dev/zero >m/filler`, run: `cp -r d m`,
		differs: "no copy of a part is left behind", ours: `[ -z "$(ls -A m/d)" ]`},
	{name: "full disk, old file", needs: "mount", setup: `mkdir m; mount -t tmpfs -o size=1m x m; echo old >m/b; head -c 2M /dev/zero >a`, run: `cp a m/b`,
		differs: "what is there is left alone when it is clear beforehand that there is no room", ours: `[ "$(cat m/b)" = old ]`},
	{name: "full disk, several", needs: "mount", setup: `mkdir m; mount -t tmpfs -o size=1m x m; head -c 2M /dev/zero >a; echo b >b`, run: `cp a b m`,
		differs: "when there is no room nothing more is begun", ours: `[ -z "$(ls -A m)" ]`},
	{name: "room for one in place of the other", needs: "mount", setup: `mkdir m; mount -t tmpfs -o size=1m x m; head -c 900K /dev/zero >m/b; yes | head -c 901K >a || true`, run: `cp a m/b`},
	{name: "across disks", needs: "mount", setup: ownersTree + `; mkdir m; mount -t tmpfs -o size=1m x m`, run: `cp -r -p from m/to; cp -r m/to back`},

	// Into itself.
	{name: "folder into itself", setup: `mkdir -p a/b; echo f >a/f`, run: `cp -r a a/b`,
		differs: "GNU cp copies a part of it and fails", ours: `[ -z "$(ls -A a/b)" ]`},
	{name: "folder into itself under a new name", setup: `mkdir -p a/b; echo f >a/f`, run: `cp -r a a/new`,
		differs: "GNU cp copies a part of it and fails", ours: `! [ -e a/new ]`},
	{name: "folder into itself by a link", setup: `mkdir -p a/b; echo f >a/f; ln -s a/b l`, run: `cp -r a l`,
		differs: "GNU cp copies a part of it and fails", ours: `[ -z "$(ls -A a/b)" ]`},
	{name: "where it is, into itself", setup: `mkdir -p a/b; echo f >a/f`, run: `cd a; cp -r . b`,
		differs: "GNU cp copies a part of it and fails", ours: `[ -z "$(ls -A a/b)" ]`},
	{name: "folder onto itself", setup: `mkdir -p a/b; echo f >a/f`, run: `cp -r a/. a`},
	{name: "folder into one that begins with its name", setup: `mkdir a ab; echo f >a/f`, run: `cp -r a ab; cp -r a abc`},
}
