package maillog

// statedOffset is the line with which AsyncOS says what zone its stamps are in.
const statedOffset = "Time offset from UTC: "
