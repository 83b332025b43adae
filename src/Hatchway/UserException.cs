namespace Hatchway;

/// <summary>Something that the user can mend. The message is one line that says what is wrong, the value, and what to do.</summary>
internal sealed class UserException(string message) : Exception(message);
