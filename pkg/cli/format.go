package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// FormatFlag gives a command the flag --format, which is one of the words given, text and json if none
// are: the first unless it is said. Another word is a mistake in the call.
func FormatFlag(command *cobra.Command, format *string, words ...string) {
	if len(words) == 0 {
		words = []string{"text", "json"}
	}
	*format = words[0]
	command.Flags().Var(choice{format, words}, "format", either(words))
	command.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// choice is a flag's value that is one of some words.
type choice struct {
	value *string
	words []string
}

func (c choice) String() string { return *c.value }

// Type is the word for the value in a command's help.
func (c choice) Type() string { return "string" }

func (c choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("use %s", either(c.words))
	}
	*c.value = word
	return nil
}

// either lists words as a sentence does: "text, json or csv".
func either(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// JSONCommands returns the commands below root that can print JSON, with the flag that has them do it.
func JSONCommands(root *cobra.Command) (all []string) {
	for _, command := range root.Commands() {
		all = append(all, JSONCommands(command)...)
		if command.Flags().Lookup("format") != nil {
			all = append(all, command.CommandPath()+" --format json")
		}
	}
	return all
}
