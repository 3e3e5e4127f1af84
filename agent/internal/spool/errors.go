package spool

import (
	"errors"
	"fmt"
	"os"
)

// Errors that callers may branch on.
var (
	ErrLocked  = errors.New("another agent uses this spool")
	ErrClosed  = fmt.Errorf("the spool: %w", os.ErrClosed)
	ErrUnknown = errors.New("the spool knows no such consumer")
	ErrFuture  = errors.New("the number was never given")
)
