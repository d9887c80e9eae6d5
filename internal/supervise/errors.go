package supervise

import "errors"

// Fatal marks an error with which the whole program should end. Fatal(nil) is
// nil.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &fatalError{err}
}

// Hold marks an error that a restart cannot cure: the service stays down until
// an operator acts (Group.Resume). Hold(nil) is nil.
func Hold(err error) error {
	if err == nil {
		return nil
	}
	return &holdError{err}
}

type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

type holdError struct{ err error }

func (e *holdError) Error() string { return e.err.Error() }
func (e *holdError) Unwrap() error { return e.err }

func isFatal(err error) bool {
	var e *fatalError
	return errors.As(err, &e)
}

func isHold(err error) bool {
	var e *holdError
	return errors.As(err, &e)
}
