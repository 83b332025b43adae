using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

// Every native call passes blittable values only, so no marshalling code runs.
[assembly: DisableRuntimeMarshalling]

// The system's libraries only, never one beside the program.
[assembly: DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
