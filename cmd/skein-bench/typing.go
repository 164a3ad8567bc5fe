package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/cmd/skein-bench/peers"
	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

const (
	caseTyping = "a key's echo in a terminal, 50 ms RTT, 5 % loss"

	// typingBound is what a key may take, in ms.
	typingBound = 70
)

// terminals are what one would use in place of Skein's terminals, most by a Debian package; a terminal on a WebSocket does what ttyd
// does, where there is none.
var terminals = []string{"ttyd", "websocket pty", "mosh", "mosh, no prediction", "ssh"}

// benchTyping types in a terminal over a link that loses packets: from the key to the bytes that show it on the viewer's screen.
func benchTyping(b *benchRun, transport string) (r result, err error) {
	if err := netlab.Unavailable(); err != nil {
		return r, skipCase{err}
	}
	c := netlab.Conditions{Delay: rtt50, Loss: 0.05}
	var ages []time.Duration
	if isSkein(transport) {
		ages, err = b.typeInSkein(transport, c)
	} else {
		ages, err = b.typeInPeer(transport, c)
	}
	if err != nil {
		return r, err
	}
	return percentiles(ages, time.Millisecond), nil
}

func (b *benchRun) typeInSkein(transport string, c netlab.Conditions) (ages []time.Duration, err error) {
	l, err := b.serveLab(labSetup{conditions: c, masking: true})
	if err != nil {
		return nil, err
	}
	defer l.close()
	return ages, l.client(b.ctx, l.Client, labJob{Do: doType, Transport: transport, Stops: b.n(400)}, &ages)
}

// typeEach is the client's part.
func typeEach(ctx context.Context, c *client.Client, job labJob) (any, error) {
	res, err := c.Spawn(ctx, wire.SpawnParams{Type: "shell", Argv: peers.Echo, Cwd: os.TempDir(), TTY: &wire.Size{Cols: 80, Rows: 24}})
	if err != nil {
		return nil, err
	}
	t := peers.NewTypist()
	view := c.Terminal(res.Agents[0].ID, client.TerminalOptions{Write: true, Screen: func(b []byte, _ bool) { t.Shown(b) }})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go view.Run(ctx)
	return t.Type(ctx, job.Stops, func(key string) error { return view.Type([]byte(key)) })
}

// typeInPeer runs a peer's server and its client at the ends of a link.
func (b *benchRun) typeInPeer(name string, c netlab.Conditions) (ages []time.Duration, err error) {
	l, err := newLab(c, "cubic")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	dir, err := os.MkdirTemp("", "skein-typing-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args, stop, err := b.serveTerminal(name, l, dir)
	if err != nil {
		return nil, err
	}
	defer stop()
	cmd := l.Client.Command(b.ctx, self, slices.Concat([]string{"peers", "type", "--count", fmt.Sprint(b.n(400))}, args)...)
	cmd.Env, cmd.Stderr = append(os.Environ(), "HOME="+dir), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s in the lab: %w", name, err)
	}
	return ages, json.Unmarshal(out, &ages)
}

// serveTerminal starts the server of a peer, and gives the arguments of who types.
func (b *benchRun) serveTerminal(name string, l *netlab.Lab, dir string) (args []string, stop func(), err error) {
	kind, prediction, _ := strings.Cut(name, ", ")
	for _, need := range map[string][]string{"ttyd": {"ttyd"}, "mosh": {"mosh-server", "mosh-client"}, "ssh": {"ssh", "/usr/sbin/sshd", "ssh-keygen"}}[kind] {
		if _, err := exec.LookPath(need); err != nil {
			return nil, nil, skipCase{fmt.Errorf("this machine has no %s: install Debian's ttyd, mosh and openssh-server", need)}
		}
	}
	host := l.Server.Addr.String()
	switch kind {
	case "websocket pty":
		self, err := os.Executable()
		if err != nil {
			return nil, nil, err
		}
		cmd := l.Server.Command(b.ctx, self, "peers", "serve-tty", "--listen", host+":7681")
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, nil, err
		}
		stop, err = startInLab(cmd, out, "serving "+host)
		return []string{"--kind", "ttyd", "--addr", host + ":7681"}, stop, err
	case "ttyd":
		cmd := l.Server.Command(b.ctx, "ttyd", slices.Concat([]string{"--port", "7681", "--writable"}, peers.Echo)...)
		log, err := cmd.StderrPipe()
		if err != nil {
			return nil, nil, err
		}
		stop, err = startInLab(cmd, log, "Listening on port")
		return []string{"--kind", "ttyd", "--addr", host + ":7681"}, stop, err
	case "mosh":
		out, err := l.Server.Command(b.ctx, "mosh-server", slices.Concat([]string{"new", "-i", host, "-p", "60001", "-l", "LC_ALL=C.UTF-8", "--"}, peers.Echo)...).CombinedOutput()
		if err != nil {
			return nil, nil, fmt.Errorf("mosh-server: %w: %s", err, out)
		}
		key := ""
		for line := range strings.Lines(string(out)) {
			if rest, ok := strings.CutPrefix(line, "MOSH CONNECT 60001 "); ok {
				key = strings.TrimSpace(rest)
			}
		}
		display := "adaptive"
		if prediction != "" {
			display = "never"
		}
		stop = func() {
			l.Server.Command(context.WithoutCancel(b.ctx), "pkill", "-f", "mosh-server new -i "+host).Run()
		}
		return []string{"--kind", "command", "--", "env", "MOSH_KEY=" + key, "MOSH_PREDICTION_DISPLAY=" + display, "mosh-client", host, "60001"}, stop, nil
	}
	return b.serveSSH(l, dir, host)
}

// serveSSH runs sshd with keys of its own.
func (b *benchRun) serveSSH(l *netlab.Lab, dir, host string) (args []string, stop func(), err error) {
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput(); err != nil {
			return nil, nil, fmt.Errorf("ssh-keygen: %w: %s", err, out)
		}
	}
	os.MkdirAll("/run/sshd", 0o755) // where sshd separates its privileges
	cmd := l.Server.Command(b.ctx, "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", filepath.Join(dir, "host"), "-o", "ListenAddress="+host+":2222",
		"-o", "AuthorizedKeysFile="+filepath.Join(dir, "user.pub"), "-o", "StrictModes=no", "-o", "UsePAM=no", "-o", "PermitRootLogin=yes", "-o", "PidFile=none")
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, nil, err
	}
	stop, err = startInLab(cmd, log, "Server listening")
	return []string{"--kind", "command", "--", "ssh", "-F", "/dev/null", "-tt", "-p", "2222", "-i", filepath.Join(dir, "user"), "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", host, peers.Echo[2]}, stop, err
}
