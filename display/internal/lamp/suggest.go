package lamp

import "strings"

// seats are where a server's lamp goes: the colours and LEDs of the defaults first.
var seats = []struct {
	color string
	led   int
}{{"red", 0}, {"purple", 4}, {"orange", 1}, {"cyan", 3}, {"magenta", 5}, {"yellow", 7}}

// Suggest returns lamps for a house: one for SSH on each agent, the defaults' for WordPress and the
// rest. Where there are more agents than LEDs, the last lamp has all others. count is that of every
// lamp, see [Config.Count].
func Suggest(agents []string, count string) []Config {
	var lamps []Config
	for i, agent := range agents[:min(len(agents), len(seats))] {
		l := Config{Name: strings.ReplaceAll(agent, ".", "-"), Label: "SSH on " + agent, Agents: []string{agent}, Kinds: []string{"ssh"}}
		if i == len(seats)-1 && len(agents) > len(seats) {
			l.Name, l.Label, l.Agents = "others", "SSH on the others", []string{OtherAgents}
		}
		l.Color, l.LED = seats[i].color, seats[i].led
		lamps = append(lamps, l)
	}
	for _, l := range Defaults() {
		if len(l.Agents) == 0 || len(agents) == 0 {
			lamps = append(lamps, l)
		}
	}
	for i := range lamps {
		lamps[i].Count = count
	}
	return lamps
}
