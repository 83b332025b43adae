using System.Runtime.CompilerServices;

// Every native call passes blittable values only, so no marshalling code runs.
[assembly: DisableRuntimeMarshalling]
