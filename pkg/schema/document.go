package schema

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
)

// Document compares the schemas that a document shows with those of types. Each stands in a block
// of code below a heading that holds the command in backquotes. With update the blocks are written
// anew. The error says which command is not documented, or not as it is.
func Document(path string, commands map[string]reflect.Type, update bool) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(old)
	for command, t := range commands {
		want, err := json.MarshalIndent(Of(t), "", " ")
		if err != nil {
			return err
		}
		heading := "`" + command + "`\n"
		at := strings.Index(text, heading)
		if at < 0 {
			return fmt.Errorf("%s has no heading with %s", path, heading)
		}
		const open, shut = "```json\n", "\n```\n"
		from := strings.Index(text[at:], open)
		if from < 0 {
			return fmt.Errorf("%s shows no schema of %s", path, command)
		}
		from += at + len(open)
		length := strings.Index(text[from-1:], shut) // an empty block has its end at once
		if length < 0 {
			return fmt.Errorf("%s does not end the schema of %s", path, command)
		}
		shown := strings.TrimSpace(text[from : from-1+length+1])
		if shown == string(want) {
			continue
		}
		if !update {
			return fmt.Errorf("%s shows another schema of %s than the program prints; go test ./agent ./display ./pkg/paircmd -run Documented -update writes it", path, command)
		}
		text = text[:from] + string(want) + text[from-1+length:]
	}
	if text == string(old) {
		return nil
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// Undocumented returns those of commands that a document does not have in backquotes.
func Undocumented(path string, commands []string) (missing []string) {
	text, _ := os.ReadFile(path)
	for _, command := range commands {
		if !strings.Contains(string(text), "`"+command) {
			missing = append(missing, command)
		}
	}
	return missing
}
