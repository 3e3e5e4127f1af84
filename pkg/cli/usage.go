package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// markArgs makes wrong and missing arguments and flags of every command usage errors, told by the names
// that its help gives them.
func markArgs(command *cobra.Command) {
	if check := command.Args; check != nil {
		command.Args = func(c *cobra.Command, args []string) error {
			err := missing(c)
			if check(c, args) != nil {
				err = errors.New(wrongArgs(c, args))
			}
			if err != nil {
				return &UsageError{seeHelp(c, err)}
			}
			return nil
		}
	}
	if command.HasSubCommands() && command.Run == nil && command.RunE == nil {
		command.Args = cobra.ArbitraryArgs
		command.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return &UsageError{seeHelp(c, fmt.Errorf("%s has no command %q%s", c.CommandPath(), args[0], nearest(c, args[0])))}
		}
	}
	for _, sub := range command.Commands() {
		markArgs(sub)
	}
}

func seeHelp(c *cobra.Command, err error) error { return Hint(err, "see %s --help", c.CommandPath()) }

// nearest names the commands that a word may have been meant to be.
func nearest(c *cobra.Command, word string) string {
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(word); len(near) > 0 {
		return "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}

// wrongArgs says in what arguments differ from those of the command's use line.
func wrongArgs(c *cobra.Command, args []string) string {
	_, wanted, _ := strings.Cut(c.Use, " ")
	wanted, _, _ = strings.Cut(wanted, " --") // flags that the line shows, too
	least := 0
	for _, word := range strings.Fields(wanted) {
		if !strings.HasPrefix(word, "[") {
			least++
		}
	}
	switch {
	case wanted == "":
		return fmt.Sprintf("%s takes no arguments, such as %q", c.CommandPath(), args[0])
	case len(args) < least && len(c.ValidArgs) > 0:
		return fmt.Sprintf("%s needs one of %s", c.CommandPath(), strings.Join(c.ValidArgs, ", "))
	case len(args) < least:
		return fmt.Sprintf("%s needs %s", c.CommandPath(), wanted)
	case len(args) == 1 && len(c.ValidArgs) > 0 && !slices.Contains(c.ValidArgs, args[0]):
		return fmt.Sprintf("%q is none of %s", args[0], strings.Join(c.ValidArgs, ", "))
	}
	return fmt.Sprintf("%s takes %s and nothing more: put what has spaces in it between quotes", c.CommandPath(), wanted)
}

// missing names the flags that a command needs and did not get.
func missing(c *cobra.Command) error {
	var names []string
	c.Flags().VisitAll(func(flag *pflag.Flag) {
		if required := flag.Annotations[cobra.BashCompOneRequiredFlag]; len(required) > 0 && required[0] == "true" && !flag.Changed {
			names = append(names, "--"+flag.Name)
		}
	})
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%s needs %s, too", c.CommandPath(), strings.Join(names, " and "))
}

// flagError words the refusal of a flag's value.
func flagError(c *cobra.Command, err error) error {
	var wrong *pflag.InvalidValueError
	var number *strconv.NumError
	if errors.As(err, &wrong) && errors.As(wrong, &number) {
		problem := "is no whole number"
		switch kind := wrong.GetFlag().Value.Type(); {
		case errors.Is(number, strconv.ErrRange):
			problem = "is too large"
		case strings.HasPrefix(kind, "uint"):
			problem = "is no whole number from 0 on"
		case kind == "bool":
			problem = "is neither true nor false"
		}
		err = fmt.Errorf("--%s: %q %s", wrong.GetFlag().Name, wrong.GetValue(), problem)
	} else if errors.As(err, &wrong) {
		err = fmt.Errorf("--%s: %q: %w", wrong.GetFlag().Name, wrong.GetValue(), wrong.Unwrap())
	}
	return &UsageError{seeHelp(c, err)}
}
