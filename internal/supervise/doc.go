// Package supervise keeps services running and stops them in order.
//
// A [Service] does its work in Run and returns when its context ends; when it
// fails it just returns the error. The [Group] restarts it after a pause that
// grows while it keeps failing, so no service has a loop for that. Two errors
// are different: [Fatal] ends the whole program, [Hold] waits for an operator.
//
// Services are stopped one after the other, the last one added first, each only
// when the one after it has ended: a consumer is added before its producers and
// so outlives them.
//
// Nothing here knows what a service does. State does not survive the process.
package supervise
