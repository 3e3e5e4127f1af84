package lamp_test

import (
	"testing"

	"github.com/pialert/pialert/display/internal/lamp"
)

// Lamps say what they count in this house, unless their owner said it otherwise.
func TestNamed(t *testing.T) {
	t.Parallel()
	mine := lamp.Defaults()
	mine[0].Label = "the shop"
	mine = append(mine, lamp.Config{Name: "blog", Agents: []string{"blog"}, Kinds: []string{"ssh", "ftp_login"}, LED: 1})
	for _, test := range []struct {
		lamps  []lamp.Config
		agents []string
		want   []string
	}{
		{lamp.Defaults(), nil, []string{"SSH on A", "WordPress", "SSH on B", "Web and the rest"}},
		{lamp.Defaults(), []string{"web1"}, []string{"SSH on web1", "WordPress", "SSH on B", "Web and the rest"}},
		{lamp.Defaults(), []string{"web1", "shop"}, []string{"SSH on web1", "WordPress", "SSH on shop", "Web and the rest"}},
		{lamp.Defaults(), []string{"web1", "a", "b"}, []string{"SSH on web1", "WordPress", "SSH on a and b", "Web and the rest"}},
		{lamp.Defaults(), []string{"web1", "a", "b", "c"}, []string{"SSH on web1", "WordPress", "SSH on 3 servers", "Web and the rest"}},
		{mine, []string{"web1", "shop", "blog"}, []string{"the shop", "WordPress", "SSH on shop", "Web and the rest", "SSH, ftp_login on blog"}},
	} {
		got := lamp.Named(test.lamps, test.agents)
		for i, want := range test.want {
			if got[i].Label != want {
				t.Errorf("with %q lamp %d is %q, want %q", test.agents, i, got[i].Label, want)
			}
		}
	}
}
