package process

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// mayBeIgnored are signals that a program can be started with as ignored: by nohup, or in the background of a script.
var mayBeIgnored = []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM}

// ignoreHere makes signals that are ignored be ignored by this process alone. A process hands on what it ignores, not what it
// catches; an agent would not hear its terminal hang up, nor Ctrl-C.
func ignoreHere() {
	for _, s := range mayBeIgnored {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s) // nobody reads it
		}
	}
}
