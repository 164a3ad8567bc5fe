package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func artifactCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "artifact", Aliases: []string{"artifacts"}, Short: "Upload, download and list files",
		Long: `Upload, download and list artifacts: files that belong to a task or an agent, or to nobody. An agent keeps a file by
putting it into the folder that its environment variable SKEIN_OUTBOX names.`,
		Example: `  skein artifact put report.pdf --task t4k2
  skein artifact ls --agent nightly
  skein artifact get f7qz -o report.pdf
  skein artifact rm f7qz`,
	}
	c.AddCommand(artifactPut(g), artifactGet(g), artifactList(g), artifactRemove(g))
	return c
}

func artifactPut(g *global) *cobra.Command {
	var p wire.ArtifactCreateParams
	var task, agent string
	c := &cobra.Command{
		Use: "put FILE", Short: "Upload a file", Args: cobra.ExactArgs(1),
		Long: `Upload a file and print the artifact's id. The server checks its SHA-256. An interrupted upload, even one
whose command was killed, continues where it stopped when the same file is put again.`,
		Example: `  skein artifact put report.pdf
  skein artifact put build/out.tar.gz --task t4k2 --name nightly.tar.gz
  ID=$(skein artifact put data.csv --agent nightly --media-type text/csv)`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return usageError{err}
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				return err
			}
			if !info.Mode().IsRegular() {
				return usageError{fmt.Errorf("%s is not a file", args[0])}
			}
			p.Size = info.Size()
			if p.Name == "" {
				p.Name = filepath.Base(args[0])
			}
			return putFile(cmd, g, p, task, agent, f)
		},
	}
	f := c.Flags()
	f.StringVar(&task, "task", "", "task that it belongs to: an id, its beginning, or a name")
	f.StringVar(&agent, "agent", "", "agent that it belongs to: an id, its beginning, or a name")
	f.StringVar(&p.Name, "name", "", "name of the artifact; default: the file's")
	f.StringVar(&p.MediaType, "media-type", "", "such as text/csv; default: by the extension of the name")
	return c
}

func putFile(cmd *cobra.Command, g *global, p wire.ArtifactCreateParams, task, agent string, f *os.File) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx := cmd.Context()
	if p.Task, p.Agent, err = owners(cmd, c, task, agent); err != nil {
		return err
	}
	bar := g.progress(cmd, p.Name)
	defer bar.done()
	bar.begin("reading")
	if p.SHA256, err = client.Sum(ctx, bar.reader(f, p.Size)); err != nil {
		return err
	}
	a, err := begunUpload(ctx, c, p)
	if err != nil {
		return err
	}
	bar.begin("sending")
	a, err = c.UploadTo(ctx, a, f, bar.show)
	bar.done()
	if err != nil {
		return cutShort(ctx, err, "put the same file again")
	}
	if g.json {
		return printJSON(cmd, a)
	}
	printf(cmd, "%v\n", a.ID)
	return nil
}

// owners finds the task and the agent that an artifact belongs to; "": none.
func owners(cmd *cobra.Command, c *client.Client, task, agent string) (t wire.TaskID, a wire.AgentID, err error) {
	if task != "" {
		if t, err = resolveTask(cmd, c, task); err != nil {
			return "", "", err
		}
	}
	if agent == "" {
		return t, "", nil
	}
	ids, err := resolve(cmd, c, agent)
	if err != nil {
		return "", "", err
	}
	return t, ids[0], nil
}

// begunUpload gives the upload of this file that broke off, or makes one.
func begunUpload(ctx context.Context, c *client.Client, p wire.ArtifactCreateParams) (*wire.Artifact, error) {
	res, err := c.ArtifactList(ctx, wire.ArtifactFilter{Task: p.Task, Agent: p.Agent, Query: p.Name, Limit: 1000})
	if err != nil {
		return nil, err
	}
	for _, a := range res.Artifacts {
		if a.State == wire.ArtifactUploading && a.Name == p.Name && a.Size == p.Size && a.SHA256 == p.SHA256 && a.Task == p.Task && a.Agent == p.Agent {
			return &a, nil
		}
	}
	return c.ArtifactCreate(ctx, p)
}

func artifactGet(g *global) *cobra.Command {
	var out string
	var connections int
	c := &cobra.Command{
		Use: "get ARTIFACT", Short: "Download a file", Args: cobra.ExactArgs(1),
		Long: `Download an artifact, named by its id, the id's beginning, or its name, and check its SHA-256. Until it is complete the
file is called FILE.part; an interrupted download continues with that file.`,
		Example: `  skein artifact get f7qz
  skein artifact get report.pdf -o /tmp/report.pdf
  skein artifact get data.csv -o - | wc -l
  skein artifact get model.bin --connections 4`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if connections < 1 || connections > maxConnections {
				return usageError{fmt.Errorf("--connections %d: allowed are 1 to %d", connections, maxConnections)}
			}
			c, err := g.dial(cmd, func(o *client.Options) { o.Connections = connections })
			if err != nil {
				return err
			}
			defer c.Close()
			a, err := findArtifact(cmd, c, args[0])
			if err != nil {
				return err
			}
			return getFile(cmd, g, c, a, out)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write, which is replaced; - for standard output; default: the artifact's name, in this folder")
	c.Flags().IntVar(&connections, "connections", 1, "how many connections to download over; more of them help a large file on a link that loses packets")
	return c
}

// maxConnections bounds what one download may take of a link, and of the server.
const maxConnections = 16

func getFile(cmd *cobra.Command, g *global, c *client.Client, a *wire.Artifact, out string) error {
	bar := g.progress(cmd, a.Name)
	defer bar.done()
	bar.begin("receiving")
	if out == "-" {
		_, err := c.Download(cmd.Context(), a.ID, cmd.OutOrStdout(), bar.show)
		return cutShort(cmd.Context(), err, "get it again")
	}
	if out == "" {
		if out = a.Name; filepath.Base(out) != out || !wire.Printable(out) {
			return fmt.Errorf("%q is not a valid file name here; give one with -o", a.Name)
		}
		if _, err := os.Lstat(out); err == nil {
			return usageError{fmt.Errorf("%s exists already; say -o %s to replace it, or name another file", out, out)}
		}
	}
	a, err := c.DownloadFile(cmd.Context(), a.ID, out, bar.show)
	bar.done()
	if err != nil {
		return cutShort(cmd.Context(), err, "get it again")
	}
	if g.json {
		return printJSON(cmd, map[string]any{"artifact": a, "file": out})
	}
	printf(cmd, "%v\n", out)
	return nil
}

// cutShort says how to go on after Ctrl-C.
func cutShort(ctx context.Context, err error, again string) error {
	if err != nil && ctx.Err() != nil {
		return interruption{"interrupted; " + again + " to go on"}
	}
	return err
}

// findArtifact finds the one that a word means: an id, its unique beginning, or a name that only one has.
func findArtifact(cmd *cobra.Command, c *client.Client, word string) (*wire.Artifact, error) {
	ctx := cmd.Context()
	if a, err := c.ArtifactGet(ctx, wire.ArtifactID(word)); err == nil || !errors.Is(err, &wire.Error{Code: wire.CodeNotFound}) {
		return a, err
	}
	res, err := c.ArtifactList(ctx, wire.ArtifactFilter{Query: word, Limit: 1000})
	if err != nil {
		return nil, err
	}
	var named, begins []wire.Artifact
	for _, a := range res.Artifacts {
		switch {
		case a.Name == word:
			named = append(named, a)
		case strings.HasPrefix(string(a.ID), word):
			begins = append(begins, a)
		}
	}
	for _, found := range [][]wire.Artifact{named, begins} {
		if len(found) == 1 {
			return &found[0], nil
		}
		if len(found) > 1 {
			return nil, usageError{fmt.Errorf("%q could be any of %d artifacts, such as %s and %s; give the id", word, len(found), found[0].ID, found[1].ID)}
		}
	}
	return nil, wire.Errorf(wire.CodeNotFound, "there is no artifact %q; `skein artifact ls` lists them", word)
}

func artifactList(g *global) *cobra.Command {
	var f wire.ArtifactFilter
	var task, agent string
	c := &cobra.Command{
		Use: "ls [QUERY]", Aliases: []string{"list"}, Short: "List artifacts, the newest first", Args: cobra.MaximumNArgs(1),
		Example: `  skein artifact ls
  skein artifact ls report --limit 10
  skein artifact ls --task t4k2 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Query = strings.Join(args, "")
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			if f.Task, f.Agent, err = owners(cmd, c, task, agent); err != nil {
				return err
			}
			res, err := c.ArtifactList(cmd.Context(), f)
			if err != nil {
				return err
			}
			return printArtifacts(cmd, g, res)
		},
	}
	fl := c.Flags()
	fl.StringVar(&task, "task", "", "artifacts of this task: an id, its beginning, or a name")
	fl.StringVar(&agent, "agent", "", "artifacts of this agent: an id, its beginning, or a name")
	fl.IntVar(&f.Limit, "limit", 0, "at most this many")
	return c
}

func printArtifacts(cmd *cobra.Command, g *global, res *wire.ArtifactListResult) error {
	switch {
	case g.json:
		return printJSON(cmd, res)
	case len(res.Artifacts) == 0:
		cmd.PrintErrln("no artifacts; upload a file with `skein artifact put FILE`")
		return nil
	}
	w := newTable(cmd.OutOrStdout(), "ID", "NAME", "SIZE", optional{"STATE", 3}, "AGE", optional{"TASK", 1}, optional{"AGENT", 2})
	for _, a := range res.Artifacts {
		state := string(a.State)
		if a.State == wire.ArtifactUploading && a.Size > 0 {
			state = fmt.Sprintf("%s, %d%%", a.State, a.Received*100/a.Size)
		}
		w.row(a.ID, shorten(a.Name, 50), bytesWord(max(a.Size, a.Received)), state,
			age(time.Since(a.CreatedAt)), dash(string(a.Task)), dash(string(a.Agent)))
	}
	return w.flush()
}

func artifactRemove(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "rm ARTIFACT...", Aliases: []string{"remove"}, Short: "Remove artifacts", Args: cobra.MinimumNArgs(1),
		Long: "Remove artifacts, named by id, the id's beginning, or name. An upload that is in progress is aborted.",
		Example: `  skein artifact rm f7qz
  skein artifact rm old.tar.gz older.tar.gz`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			var removed []wire.ArtifactID
			for _, word := range args {
				a, err := findArtifact(cmd, c, word)
				if err == nil {
					err = c.ArtifactDelete(cmd.Context(), a.ID)
				}
				if err != nil {
					return err
				}
				removed = append(removed, a.ID)
			}
			if g.json {
				return printJSON(cmd, map[string]any{"removed": removed})
			}
			for _, id := range removed {
				printf(cmd, "%v\n", id)
			}
			return nil
		},
	}
}
