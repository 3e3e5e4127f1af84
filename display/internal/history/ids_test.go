package history_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// A query has one lower and one upper bound of ids: SQLite seeks by one of each and tries every row with the
// others, which made it read the whole history for each page of an export.
func TestFilterBoundsIDsOnce(t *testing.T) {
	everything := history.Filter{
		Span:  history.Span{Since: time.Unix(1, 0), Until: time.Unix(2, 0)},
		Agent: "web1", Kind: attack.SSHLogin, User: "root", Host: "db", After: 3, Before: 9,
	}
	if where := history.Where(everything); strings.Contains(where, "events.id ") || !strings.Contains(where, "kind = ?") {
		t.Errorf("where %q", where)
	}
}
