package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
)

// labJobs give what the client prints, as JSON.
var labJobs = map[string]func(context.Context, *client.Client, labJob) (any, error){
	doFollow:   followFleet,
	doStop:     stopEach,
	doCritical: pingBeside,
	doUpload:   uploadOne,
	doDownload: downloadOne,
	doType:     typeEach,
}

// labCommand is the process at the client's end.
func labCommand() *cobra.Command {
	return &cobra.Command{
		Use: labName, Short: "Be the client of a case over a link, for run", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return labClient(cmd) },
	}
}

func labClient(cmd *cobra.Command) error {
	var job labJob
	if err := json.NewDecoder(cmd.InOrStdin()).Decode(&job); err != nil {
		return err
	}
	o, err := client.FindLocal(job.Dir)
	if err != nil {
		return err
	}
	o.Transport, o.Name, o.NoMasking, o.NoStatus = job.Transport, "bench", job.NoMasking, true
	o.Connections = job.Conns
	if job.Do == doFirst {
		rep, err := firstSpawns(cmd.Context(), o, job)
		if err != nil {
			return err
		}
		return json.NewEncoder(cmd.OutOrStdout()).Encode(rep)
	}
	do, ok := labJobs[job.Do]
	if !ok {
		return fmt.Errorf("the job %q is none", job.Do)
	}
	c, err := client.Dial(cmd.Context(), o)
	if err != nil {
		return err
	}
	defer c.Close()
	rep, err := do(cmd.Context(), c, job)
	if err != nil {
		return err
	}
	return json.NewEncoder(cmd.OutOrStdout()).Encode(rep)
}
