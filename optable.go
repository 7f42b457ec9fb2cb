package liburing

// opFacts is what the package knows of an operation. The loop looks here while
// it runs; internal/gen, internal/parity and tests read the table's text
// (internal/optable). A constant's name is its key there, and a fact that does
// not hold is left out.
type opFacts struct {
	kernel string // the least Linux that has it; the docs of its Prep methods say so

	// quick: submitting it never holds the submitter up for long, so a loop may
	// do so in a raw enter. Others may take locks of a file or wait for a device
	// in io_uring_enter itself.
	quick bool
	// copies: SQE.Len bytes are copied when it is submitted.
	copies bool

	// worker: the kernel always hands it to a worker thread, which takes longer.
	// The docs say so.
	worker bool

	// goesOn: where it fails in a chain what is linked behind it runs all the same, and
	// with SQECQESkipSuccess the kernel does not even tell of the failure. So it is on
	// Linux 6.1 to 7.3, not on 5.10.
	goesOn bool

	ends    bool      // its result 0 means that nothing more will come
	buffers bool      // it may take its memory from a BufGroup
	big     bool      // it takes two places of a queue of mixed entries (SetupSQEMixed)
	cuts    bool      // with MSG_TRUNC its result may be more than the buffer holds
	fixed   fixedName // how it is told that its file is a registered one
	makes   madeKind  // what a request makes that would be nobody's if it came too late
	names   nameKind  // what a request names that its error is to tell
}

// fixedName is how an operation is told that its file is a registered one.
type fixedName uint8

const (
	noFixed      fixedName = iota // its descriptors, if any, are a process's
	fixedByFlag                   // SQEFixedFile, and the place in SQE.FD
	fixedByIndex                  // the place in SQE.FileIndex
	fixedAlways                   // it is for registered files alone
)

// facts returns what is known of an operation.
func (v Op) facts() opFacts {
	if v >= OpLast {
		return opFacts{}
	}
	return opTable[v]
}

// opTable has a row for each operation of the header.
var opTable = [OpLast]opFacts{
	OpNop:            {kernel: "5.1", quick: true},
	OpReadv:          {kernel: "5.1", ends: true, buffers: true, fixed: fixedByFlag},
	OpWritev:         {kernel: "5.1", fixed: fixedByFlag},
	OpFsync:          {kernel: "5.1", worker: true, goesOn: true, fixed: fixedByFlag},
	OpReadFixed:      {kernel: "5.1", ends: true, fixed: fixedByFlag},
	OpWriteFixed:     {kernel: "5.1", fixed: fixedByFlag},
	OpPollAdd:        {kernel: "5.1", quick: true, fixed: fixedByFlag},
	OpPollRemove:     {kernel: "5.1", quick: true},
	OpSyncFileRange:  {kernel: "5.2", worker: true, goesOn: true, fixed: fixedByFlag},
	OpSendmsg:        {kernel: "5.3", quick: true, fixed: fixedByFlag, names: namesMessage},
	OpRecvmsg:        {kernel: "5.3", quick: true, ends: true, buffers: true, cuts: true, fixed: fixedByFlag},
	OpTimeout:        {kernel: "5.4", quick: true},
	OpTimeoutRemove:  {kernel: "5.5", quick: true},
	OpAccept:         {kernel: "5.5", quick: true, fixed: fixedByFlag, makes: madeOne},
	OpAsyncCancel:    {kernel: "5.5", quick: true, fixed: fixedByFlag},
	OpLinkTimeout:    {kernel: "5.5", quick: true},
	OpConnect:        {kernel: "5.5", quick: true, fixed: fixedByFlag, names: namesAddr},
	OpFallocate:      {kernel: "5.6", worker: true, goesOn: true, fixed: fixedByFlag},
	OpOpenat:         {kernel: "5.6", makes: madeOne, names: namesPath},
	OpClose:          {kernel: "5.6", fixed: fixedByIndex},
	OpFilesUpdate:    {kernel: "5.6", makes: madePlaces},
	OpStatx:          {kernel: "5.6", worker: true, goesOn: true, names: namesPath},
	OpRead:           {kernel: "5.6", ends: true, buffers: true, fixed: fixedByFlag},
	OpWrite:          {kernel: "5.6", fixed: fixedByFlag},
	OpFadvise:        {kernel: "5.6", fixed: fixedByFlag},
	OpMadvise:        {kernel: "5.6", worker: true, goesOn: true},
	OpSend:           {kernel: "5.6", quick: true, copies: true, buffers: true, fixed: fixedByFlag, names: namesKept},
	OpRecv:           {kernel: "5.6", quick: true, copies: true, ends: true, buffers: true, cuts: true, fixed: fixedByFlag},
	OpOpenat2:        {kernel: "5.6", makes: madeOne, names: namesPath},
	OpEpollCtl:       {kernel: "5.6"},
	OpSplice:         {kernel: "5.7", worker: true, ends: true, fixed: fixedByFlag},
	OpProvideBuffers: {kernel: "5.7"},
	OpRemoveBuffers:  {kernel: "5.7"},
	OpTee:            {kernel: "5.8", worker: true, ends: true, fixed: fixedByFlag},
	OpShutdown:       {kernel: "5.11", quick: true, worker: true, goesOn: true, fixed: fixedByFlag},
	OpRenameat:       {kernel: "5.11", worker: true, goesOn: true, names: namesPaths},
	OpUnlinkat:       {kernel: "5.11", worker: true, goesOn: true, names: namesPath},
	OpMkdirat:        {kernel: "5.15", worker: true, goesOn: true, names: namesPath},
	OpSymlinkat:      {kernel: "5.15", worker: true, goesOn: true, names: namesPaths},
	OpLinkat:         {kernel: "5.15", worker: true, goesOn: true, names: namesPaths},
	OpMsgRing:        {kernel: "5.18", quick: true, fixed: fixedByFlag},
	OpFsetxattr:      {kernel: "5.19", worker: true, goesOn: true, fixed: fixedByFlag},
	OpSetxattr:       {kernel: "5.19", worker: true, goesOn: true, names: namesFile},
	OpFgetxattr:      {kernel: "5.19", worker: true, goesOn: true, fixed: fixedByFlag},
	OpGetxattr:       {kernel: "5.19", worker: true, goesOn: true, names: namesFile},
	OpSocket:         {kernel: "5.19", quick: true, makes: madeOne},
	OpURingCmd:       {kernel: "5.19", buffers: true, fixed: fixedByFlag},
	OpSendZC:         {kernel: "6.0", quick: true, copies: true, fixed: fixedByFlag, names: namesKept},
	OpSendmsgZC:      {kernel: "6.1", quick: true, fixed: fixedByFlag, names: namesMessage},
	OpReadMultishot:  {kernel: "6.7", quick: true, ends: true, buffers: true, fixed: fixedByFlag},
	OpWaitid:         {kernel: "6.7"},
	OpFutexWait:      {kernel: "6.7", quick: true},
	OpFutexWake:      {kernel: "6.7", quick: true},
	OpFutexWaitv:     {kernel: "6.7", quick: true},
	OpFixedFDInstall: {kernel: "6.8", fixed: fixedAlways, makes: madeOne},
	OpFtruncate:      {kernel: "6.9", worker: true, goesOn: true, fixed: fixedByFlag},
	OpBind:           {kernel: "6.11", quick: true, fixed: fixedByFlag, names: namesAddr},
	OpListen:         {kernel: "6.11", quick: true, fixed: fixedByFlag},
	OpRecvZC:         {kernel: "6.15", fixed: fixedByFlag},
	OpEpollWait:      {kernel: "6.15", quick: true, fixed: fixedByFlag},
	OpReadvFixed:     {kernel: "6.15", ends: true, fixed: fixedByFlag},
	OpWritevFixed:    {kernel: "6.15", fixed: fixedByFlag},
	OpPipe:           {kernel: "6.16", makes: madePipe},
	OpNop128:         {kernel: "6.19", quick: true, big: true},
	OpURingCmd128:    {kernel: "6.19", buffers: true, big: true, fixed: fixedByFlag},
}
