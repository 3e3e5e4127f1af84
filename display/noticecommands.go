package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
)

func noticesCommand(s *settings) *cobra.Command {
	command := &cobra.Command{
		Use:   "notices",
		Short: "Test the channels of the notices, and see what was sent",
		Example: `  sudo pialert-display notices test phone
  sudo pialert-display notices list`,
	}
	command.AddCommand(testNoticeCommand(s), listNoticesCommand(s), retryNoticeCommand(s), previewNoticeCommand(s))
	return command
}

func testNoticeCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "test CHANNEL",
		Short:   "Send a real message by a channel, and print what its service answers",
		Example: "  sudo pialert-display notices test phone",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if cfg, err := s.Load(); err == nil && len(args) == 0 {
				for _, channel := range cfg.Notices.Channels {
					names = append(names, channel.Name)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(command *cobra.Command, args []string) error {
			var tested notice.Tested
			if err := cli.Ask(command, s, "/notices/test", noticeRequest{Channel: args[0]}, &tested); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "sent by %s in %s; the service answered: %s\n",
				args[0], tested.Took.Round(time.Millisecond), escape.Text(tested.Answer))
			return nil
		},
	}
}

func listNoticesCommand(s *settings) *cobra.Command {
	var limit int
	var format string
	command := &cobra.Command{
		Use:   "list",
		Short: "List the newest messages: what was delivered, what waits, what failed",
		Example: `  sudo pialert-display notices list
  sudo pialert-display notices list --format json | jq 'select(.state == "failed")'`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if limit < 1 || limit > 10_000 {
				return errors.New("--limit must be 1 to 10000")
			}
			var all []notice.Entry
			if err := cli.Ask(command, s, "/notices/list", noticeRequest{Limit: limit}, &all); err != nil {
				return err
			}
			if format == "json" {
				encoder := cli.NewEncoder(command.OutOrStdout())
				for _, one := range all {
					if err := encoder.Encode(one); err != nil {
						return err
					}
				}
				return nil
			}
			return writeNotices(command.OutOrStdout(), all, time.Now())
		},
	}
	command.Flags().IntVar(&limit, "limit", 20, "how many, the newest")
	cli.FormatFlag(command, &format)
	return command
}

func writeNotices(out io.Writer, all []notice.Entry, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "no notices yet")
		return err
	}
	table := cli.NewTable(out)
	fmt.Fprintln(table, "ID\tCHANNEL\tCREATED\tSTATE\tATTEMPTS\tNOTICE\tANSWER")
	for _, e := range all {
		state := string(e.State)
		if e.State == notice.Queued && e.Next.After(now) {
			state += ", next in " + e.Next.Sub(now).Round(time.Second).String()
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", e.ID, e.Channel, cli.Ago(e.Created, now), state, e.Attempts,
			escape.Text(channel.Cut(e.Subject, 60)), escape.Text(channel.Cut(e.Answer, 80)))
	}
	return table.Flush()
}

func retryNoticeCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "retry ID",
		Short:   "Send a message again that failed, or that waits, now",
		Example: "  sudo pialert-display notices retry 17",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return fmt.Errorf("%q is no id: see pialert-display notices list", args[0])
			}
			if err := cli.Ask(command, s, "/notices/retry", noticeRequest{ID: id}, nil); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "notice %d is queued\n", id)
			return nil
		},
	}
}

func previewNoticeCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:       "preview digest",
		Short:     "Print the digest of the last day, as it would be sent",
		Example:   "  sudo pialert-display notices preview digest",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"digest"},
		RunE: func(command *cobra.Command, _ []string) error {
			var m channel.Message
			if err := cli.Ask(command, s, "/notices/preview", nil, &m); err != nil {
				return err
			}
			_, err := fmt.Fprintf(command.OutOrStdout(), "%s\n\n%s", m.Subject, m.Text())
			return err
		},
	}
}
